"""A batch: the records of one partition that one fetch brought, handed to an agent as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import faust
from faust.types import TP, ConsumerMessage

__all__ = ["Batch", "BatchSchema", "Record"]


class Record(Protocol):
    """A Kafka record as aiokafka gives it; the timestamp is the event time in ms."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Batch:
    """Records of one partition in the order of their offsets: iterable, sized, sliceable."""

    __slots__ = ("records", "tp")

    def __init__(self, tp: TP, records: Sequence[Record]) -> None:
        self.tp = tp
        self.records = records

    @property
    def topic(self) -> str:
        """Name of the topic the records are from."""
        return self.tp.topic

    @property
    def partition(self) -> int:
        """Number of the partition the records are from."""
        return self.tp.partition

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def halves(self) -> tuple[Batch, Batch]:
        """Cut the batch in two, to find the record that an agent fails on."""
        middle = len(self.records) // 2
        return Batch(self.tp, self.records[:middle]), Batch(self.tp, self.records[middle:])

    def message(self, generation: int) -> ConsumerMessage:
        """Make the Faust message that stands for the whole batch: its offset is the last record's.

        Args:
            generation: the consumer group's generation in which the records were fetched.
        """
        last = self.records[-1]
        value: Any = self
        return ConsumerMessage(
            self.topic,
            self.partition,
            last.offset,
            last.timestamp / 1000,
            0,
            [],
            None,
            value,
            None,
            0,
            0,
            self.tp,
            generation_id=generation,
        )

    def __repr__(self) -> str:
        return f"<Batch of {len(self)} from {self.topic}[{self.partition}]>"


class BatchSchema(faust.Schema):  # type: ignore[type-arg]
    """Marks a topic whose agents want batches, and hands the batches on as they are.

    Args:
        after: names of topics of which the partition with the same number has to be processed first, as far
            as the broker has it (see `streamapp.batching.alignment`).
    """

    def __init__(self, *, after: Iterable[str] = ()) -> None:
        super().__init__()
        self.after = frozenset(after)

    def loads_key(self, app: Any, message: Any, **kwargs: Any) -> Any:
        """Give no key: each record of a batch has its own."""
        return None

    def loads_value(self, app: Any, message: Any, **kwargs: Any) -> Any:
        """Give the batch."""
        return message.value
