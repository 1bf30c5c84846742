"""A parcel: one record batch on its way to a partition, and what is in it.

The broker refuses a record batch as a whole. If that is for records in it, all others are sent again. It may say which
records those are; if not, they are found by sending smaller and smaller parts.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Protocol

from aiokafka.structs import RecordMetadata
from faust.types import TP

from streamapp.kafka.record import Result
from streamapp.kafka.record_writer import RecordBatch
from streamapp.kafka.refusals import RecordRefusedError
from streamapp.runtime.work import Results

__all__ = ["BatchProducer", "Destination", "Parcel", "Sending"]


class Destination(Protocol):
    """What is told that records are on the broker: results for a topic, or the rows of a table partition."""

    def delivered(self, results: Sequence[Result], offset: int) -> None:
        """Take note that the broker has these records, up to (not with) this offset of their partition."""

    async def refused(self, result: Result, error: RecordRefusedError) -> Results | None:
        """Return what is sent in place of a refused record; a RefusedError if there is no other place for it."""


class BatchProducer(Protocol):
    """An aiokafka producer."""

    async def send_batch(self, batch: RecordBatch, topic: str, *, partition: int) -> asyncio.Future[RecordMetadata]:
        """Take a record batch, once there is room for it; returns what is done when the broker has answered."""


@dataclasses.dataclass(slots=True, eq=False)
class Sending:
    """Results on their way, in one record batch, until that has arrived."""

    tp: TP
    results: Sequence[Result]
    to: Destination
    #: Bytes that they take in their record batch.
    size: int
    #: Done when the broker has them, or with the error that it, or aiokafka, gave instead.
    arrived: asyncio.Future[None] = dataclasses.field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def fail(self, error: BaseException) -> None:
        """Take note that they cannot arrive."""
        self.arrived.set_exception(error)
        self.arrived.exception()  # `Outbox.settle` looks at it: asyncio need not tell that nobody did


class Parcel:
    """A record batch for a partition.

    Of two for a partition the one with the smaller number goes first; those that take the place of one have its number
    and one more.
    """

    __slots__ = ("answered", "batch", "number", "producer", "sendings", "tp")

    def __init__(self, tp: TP, producer: BatchProducer, number: tuple[int, ...]) -> None:
        self.tp = tp
        self.producer = producer
        self.number = number
        self.batch = RecordBatch.of(producer)
        #: What is in it, in this order.
        self.sendings: list[Sending] = []
        #: Set when the producer has given an answer.
        self.answered = asyncio.Event()

    def fill(self, results: Sequence[Result], start: int, to: Destination) -> tuple[Sending | None, int]:
        """Put in results from number `start` on while there is room; return them, and the first one that has none."""
        before = self.batch.size()
        stop = self.batch.extend(results, start)
        if stop == start:
            return None, stop
        sending = Sending(self.tp, results[start:stop], to, self.batch.size() - before)
        self.sendings.append(sending)
        return sending, stop

    def narrowed(
        self, error: RecordRefusedError
    ) -> tuple[list[tuple[Sending, Result, RecordRefusedError]], list[list[tuple[Sending, Sequence[Result]]]]]:
        """Return what is at fault, and what is to be sent again, each list as a record batch of its own.

        If the broker does not say which records it refuses, each of the sendings is tried alone, and then the halves
        of one, down to a single record.
        """
        if error.records:
            return self._told(error)
        if len(self.sendings) > 1:
            return [], [[(sending, sending.results)] for sending in self.sendings]
        (sending,) = self.sendings
        if len(sending.results) == 1:
            return [(sending, sending.results[0], error)], []
        middle = len(sending.results) // 2
        return [], [[(sending, sending.results[:middle])], [(sending, sending.results[middle:])]]

    def _told(
        self, error: RecordRefusedError
    ) -> tuple[list[tuple[Sending, Result, RecordRefusedError]], list[list[tuple[Sending, Sequence[Result]]]]]:
        refused: list[tuple[Sending, Result, RecordRefusedError]] = []
        good: list[tuple[Sending, Sequence[Result]]] = []
        begin = 0
        for sending in self.sendings:
            placed = list(enumerate(sending.results, begin))
            begin += len(placed)
            refused += [(sending, result, error.of(place)) for place, result in placed if place in error.records]
            if left := [result for place, result in placed if place not in error.records]:
                good.append((sending, left))
        return refused, [good] if good else []
