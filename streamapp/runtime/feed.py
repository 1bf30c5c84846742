"""The feed: what is fetched is delivered as soon as it is there, of each partition that has room for it.

It is a Reactive Streams' demand, a batch at a time: the consumer says which partitions it `want`s a batch of, and gets
one of each.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from aiokafka.consumer.fetcher import READ_UNCOMMITTED
from aiokafka.errors import KafkaError
from faust.types import TP

from streamapp.kafka.reader import Reader
from streamapp.kafka.record import Record
from streamapp.kafka.topic_metadata import end_offsets
from streamapp.runtime.alignment import Alignment
from streamapp.runtime.hops import Hops

__all__ = ["Feed", "Fetched"]

logger = logging.getLogger(__name__)

#: Seconds between two looks at what nothing tells of: positions that moved without a record, end offsets not had yet.
FEED_CHECK_INTERVAL_S: Final = 1.0


class Fetched(msgspec.Struct):
    """What came from the broker."""

    records: Mapping[TP, list[Record]]
    #: For partitions whose records came last, how far those that go before them have to be read (`Alignment.learn`).
    barriers: Mapping[TP, Mapping[TP, int]]
    #: Next offsets to be fetched.
    positions: Mapping[TP, int]


@dataclasses.dataclass
class Unbarred:
    """Partitions whose records went without a barrier, which the broker is still to be asked for."""

    #: What has to come through before the end offsets of those that they are joined with say all.
    hops: Hops | None = None
    waiting: set[TP] = dataclasses.field(default_factory=set)
    #: Those for which it is being asked.
    asking: set[TP] = dataclasses.field(default_factory=set)
    task: asyncio.Task[None] | None = None


@dataclasses.dataclass(eq=False)
class Feed:
    """Delivers what is fetched in one generation."""

    reader: Reader
    alignment: Alignment
    _: dataclasses.KW_ONLY
    #: Records of a partition that go to an agent at once, at most one record batch more: bounds what a failure repeats.
    max_records: int
    #: Of the values of a partition's records that go at once, at most one record batch more.
    max_bytes: int
    #: Tells whether the generation is still the current one. After it nothing is taken any more: it would be lost.
    current: Callable[[], bool]
    #: Takes what came.
    deliver: Callable[[Fetched], None]
    #: Called again and again, at least once a second while nothing holds up the loop.
    alive: Callable[[], None]
    #: What has to come through before the end offsets of some partitions say all; None = nothing.
    hops: Hops | None = None

    def __post_init__(self) -> None:
        self._wanted: set[TP] = set()
        self._positions: Mapping[TP, int] = {}
        #: Of partitions that are joined with others, and with some behind a hop.
        self._unbarred, self._held = Unbarred(), Unbarred(self.hops)
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def want(self, partitions: set[TP]) -> None:
        """Have a batch of each of these partitions delivered: at once, or as soon as one is fetched."""
        self._wanted |= partitions
        if self.reader.has_any(partitions):
            self._pump()

    def end(self) -> None:
        """Deliver nothing more."""
        if not self._over.done():
            self._over.set_result(None)

    async def run(self) -> None:
        """Feed, until the partitions change.

        Raises:
            UnreadableBatchError: see `take`.
            KafkaError: what a fetch failed with.
        """
        self.reader.fetching.feed(self._pump, self._wanted)
        self._pump()  # what was fetched before waits for no fetch
        try:
            while self.current() and not self._over.done():
                self.alive()
                await asyncio.wait({self._over}, timeout=FEED_CHECK_INTERVAL_S)
                self._pump()
                self._ask()
            if self._over.done():
                self._over.result()
        finally:
            self.reader.fetching.feed(None, set())
            self.end()
            for unbarred in (self._unbarred, self._held):
                if unbarred.task is not None:
                    unbarred.task.cancel()

    def _pump(self) -> None:
        """Deliver what has been fetched of the partitions that are wanted."""
        if not self._wanted or not self._active():
            return
        try:
            records = self.reader.take(self._wanted, self.max_records, self.max_bytes)
        except Exception as exc:
            self._fail(exc)
            return
        self._wanted.difference_update(records)
        # An answer that is under way would be older than the records.
        for asked in (self._unbarred.waiting, self._unbarred.asking, self._held.asking):
            asked.difference_update(records)
        barriers = {}
        for tp in records:
            others = self.alignment.others([tp])
            barrier = self.reader.fetching.barrier(tp, others)
            if self.hops is not None and self.hops.over(others):
                self._held.waiting.add(tp)
            elif barrier is not None:
                barriers[tp] = barrier
            else:
                self._unbarred.waiting.add(tp)
        self._send(records, barriers)
        self._ask()

    def _active(self) -> bool:
        return not self._over.done() and self.current()

    def _fail(self, error: Exception) -> None:
        if not self._over.done():
            self._over.set_exception(error)

    def _send(self, records: Mapping[TP, list[Record]], barriers: Mapping[TP, Mapping[TP, int]]) -> None:
        positions = self.reader.read_to()
        barriers = {tp: {**barrier, **self._beside(tp)} for tp, barrier in barriers.items()}
        if records or barriers or positions != self._positions:
            self._positions = positions
            self.deliver(Fetched(records, barriers, positions))

    def _beside(self, tp: TP) -> dict[TP, int]:
        """Return the end offsets of the partitions that one goes in rounds with, as they were last told."""
        ends = {other: self.reader.end_offset(other) for other in self.alignment.beside(tp)}
        return {other: end for other, end in ends.items() if end is not None}

    def _ask(self) -> None:
        for unbarred in (self._unbarred, self._held):
            if unbarred.waiting and (unbarred.task is None or unbarred.task.done()):
                unbarred.task = asyncio.get_running_loop().create_task(self._ask_for_ends(unbarred))

    async def _ask_for_ends(self, unbarred: Unbarred) -> None:
        """Ask for the end offsets of joined partitions, once what was on its way to them has come through."""
        hops, isolation = unbarred.hops, self.reader.isolation_level
        while unbarred.waiting and self._active():
            unbarred.asking, unbarred.waiting = unbarred.waiting, set()
            others = self.alignment.others(unbarred.asking)
            try:
                if hops is not None:
                    if not await hops.passed(hops.over(others), self._active):
                        return
                    # Of open transactions, too: one that is committed may not show in the partitions yet.
                    isolation = READ_UNCOMMITTED
                ends = await end_offsets(self.reader.client, others, isolation)
            except KafkaError as exc:  # asked again at the next look; what waits for it is held until then
                logger.warning("End offsets of %d partitions are not to be had: %r", len(others), exc)
                unbarred.waiting |= unbarred.asking
                return
            except Exception as exc:
                self._fail(exc)
                return
            asked = unbarred.asking
            barriers = {tp: {other: ends[other] for other in self.alignment.others([tp])} for tp in asked}
            if barriers and self._active():
                self._send({}, barriers)
