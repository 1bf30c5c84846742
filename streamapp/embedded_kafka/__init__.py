"""A real Apache Kafka of one node for a machine without one: `EmbeddedKafka`.

In: a directory and a port. Out: a broker that runs until its owner ends; the jars are fetched once and kept.
"""

from streamapp.embedded_kafka.embedded import EmbeddedKafka
from streamapp.embedded_kafka.failure import BrokerError
from streamapp.embedded_kafka.properties import VERSION

__all__ = ["VERSION", "BrokerError", "EmbeddedKafka"]
