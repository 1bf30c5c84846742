"""An outbox without a broker: what it asks for topics, and a producer whose record batches arrive at once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import UnknownTopicOrPartitionError
from aiokafka.structs import RecordMetadata, TopicPartition
from faust.types import TP

from streamapp.runtime.outbox import Outbox
from streamapp.runtime.parcel import BatchProducer
from streamapp.runtime.patience import Patience
from streamapp.runtime.problems import Problems

__all__ = ["InstantProducer", "Topics", "outbox_of"]


class InstantProducer:
    """Takes record batches as aiokafka's producer does; each arrives at once, or fails with what its topic is given."""

    def __init__(self, steps: list[str] | None = None) -> None:
        self._txn_manager = None
        self._message_accumulator = SimpleNamespace(
            _batch_size=1 << 20, _compression_type=2, _linger_time=0, _txn_manager=None
        )
        self._ends: dict[TP, int] = {}
        #: What happens, in order: each record batch is its topic and how many records it has.
        self.steps = [] if steps is None else steps
        #: By topic, what the broker says to the next record batch.
        self.errors: dict[str, Exception] = {}

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> asyncio.Future[RecordMetadata]:
        batch.close()
        answer: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        if topic in self.errors:
            answer.set_exception(self.errors.pop(topic))
            return answer
        tp, count = TP(topic, partition), batch.record_count()
        self.steps.append(f"{topic}: {count}")
        offset = self._ends.get(tp, 0)
        self._ends[tp] = offset + count
        answer.set_result(RecordMetadata(topic, partition, TopicPartition(*tp), offset, -1, 0, 0))
        return answer


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
