"""An outbox that sends through a given producer, and what it asks for topics."""

from __future__ import annotations

from collections.abc import Collection

from aiokafka.errors import UnknownTopicOrPartitionError
from faust.types import TP

from streamapp.runtime.outbox import Outbox
from streamapp.runtime.parcel import BatchProducer
from streamapp.runtime.patience import Patience
from streamapp.runtime.problems import Problems

__all__ = ["Topics", "outbox_of"]


class Topics:
    """Knows topics by their numbers of partitions, and finds every event time good."""

    def __init__(self, **counts: int) -> None:
        self.counts = counts

    async def partition_count(self, topic: str) -> int:
        if topic not in self.counts:
            raise UnknownTopicOrPartitionError
        return self.counts[topic]

    async def missing(self, partitions: Collection[TP]) -> set[str]:
        return {tp.topic for tp in partitions} - self.counts.keys()

    def look(self, topic: str, first: int | None, last: int | None) -> None:
        """Look at nothing."""


def outbox_of(producer: BatchProducer, patience: Patience | None = None, **counts: int) -> Outbox:
    """Return an outbox that sends through a producer, to topics with so many partitions."""
    topics = Topics(**counts)
    outbox = Outbox(patience or Patience(Problems()), topics, topics)
    outbox.use(producer)
    return outbox
