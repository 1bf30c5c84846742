"""A real Apache Kafka of one node for a machine without one: `EmbeddedKafka`."""

from streamapp.embedded_kafka.embedded import EmbeddedKafka
from streamapp.embedded_kafka.failure import BrokerError
from streamapp.embedded_kafka.properties import VERSION

__all__ = ["VERSION", "BrokerError", "EmbeddedKafka"]
