"""The producer: Faust's own, which sends each record batch once, and those that send in transactions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faust.transport.drivers import aiokafka as driver

__all__ = ["Producer"]


class Producer(driver.Producer):
    """Faust's aiokafka producer, idempotent: what aiokafka sends again after a lost answer is there once (KIP-98)."""

    app: Any

    def _settings_extra(self) -> Mapping[str, Any]:
        return {**super()._settings_extra(), "enable_idempotence": True}

    def transactional(self, transactional_id: str) -> Any:
        """Make an aiokafka producer that sends in transactions; it is not started yet."""
        return self._new_producer(transactional_id)

    async def partition_count(self, topic: str) -> int:
        """Give the number of partitions of a topic.

        Raises:
            KafkaError: if the broker does not know the topic.
        """
        producer = self._ensure_producer()
        known = producer.client.cluster.partitions_for_topic(topic)
        return len(known or await producer.partitions_for(topic))

    async def on_stop(self) -> None:
        """Stop the transactional producers, too."""
        await self.app.checkpoint.close()
        await super().on_stop()
