"""A real Apache Kafka of one node for a machine without one: `EmbeddedKafka`."""

from streamapp.broker.embedded import EmbeddedKafka
from streamapp.broker.failure import BrokerError
from streamapp.broker.version import VERSION

__all__ = ["VERSION", "BrokerError", "EmbeddedKafka"]
