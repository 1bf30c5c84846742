"""What aiokafka has fetched of a partition, made of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from aiokafka.consumer.fetcher import READ_UNCOMMITTED, FetchResult, PartitionRecords
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from faust.types import TP

from streamapp.kafka import insides
from streamapp.kafka.record_reader import take

__all__ = ["Fetcher"]


class Fetcher:
    """What `take` knows of aiokafka's fetcher, after one fetch of one partition.

    Args:
        tp: the partition.
        data: what was fetched.
        at: the offset that was asked for.
        isolation: what is read of transactions.
        aborted: producers whose transactions were aborted, with their first offsets.
    """

    def __init__(
        self,
        tp: TP,
        data: bytes,
        at: int = 0,
        isolation: int = READ_UNCOMMITTED,
        aborted: Sequence[tuple[int, int]] = (),
    ) -> None:
        self.state = SimpleNamespace(paused=False, position=at)
        self.state.consumed_to = lambda offset: setattr(self.state, "position", offset)
        assignment = SimpleNamespace(active=True, state_value=lambda _: self.state)
        partition = PartitionRecords(TopicPartition(*tp), MemoryRecords(data), aborted, at, None, None, True, isolation)
        partition.data, partition.at = data, 0
        self._tp = tp
        self._records: dict[Any, Any] = {
            tp: FetchResult(TopicPartition(*tp), assignment=assignment, partition_records=partition, backoff=0)
        }
        self._wait_consume_future = None

    def _notify(self, _: Any) -> None:
        """Nobody waits."""

    def take(self) -> list[Any]:
        """Take the records; see `streamapp.kafka.record_reader.take`."""
        return take(cast(insides.Fetcher, self), {self._tp}, 1_000, 1 << 20).get(self._tp, [])
