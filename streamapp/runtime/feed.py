"""The feed: what is fetched is delivered as soon as it is there, of each partition that has room for it.

It is a Reactive Streams' demand, a batch at a time: the consumer says which partitions it `want`s a batch of, and gets
one of each.
"""

from __future__ import annotations

import asyncio
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

#: Records of a partition that go to an agent at once, at most one record batch more: bounds what a failure repeats.
MAX_RECORDS: Final = 5_000
#: Seconds between two looks at what nothing tells of: positions that moved without a record, end offsets not had yet.
FEED_CHECK_INTERVAL_S: Final = 1.0


class Fetched(msgspec.Struct):
    """What came from the broker."""

    records: Mapping[TP, list[Record]]
    #: For partitions whose records came last, how far those that go before them have to be read (`Alignment.learn`).
    barriers: Mapping[TP, Mapping[TP, int]]
    #: Next offsets to be fetched.
    positions: Mapping[TP, int]


class Feed:
    """Delivers what is fetched in one generation.

    Args:
        reader: fetches.
        alignment: which partitions are joined.
        max_bytes: of the values of a partition's records that go at once, at most one record batch more.
        current: tells whether the generation is still the current one. After it nothing is taken any more: it would
            be thrown away, and be lost.
        deliver: takes what came.
        alive: called again and again, at least once a second while nothing holds up the loop.
        hops: what has to come through before the end offsets of some partitions say all; None = nothing.
    """

    def __init__(
        self,
        reader: Reader,
        alignment: Alignment,
        *,
        max_bytes: int,
        current: Callable[[], bool],
        deliver: Callable[[Fetched], None],
        alive: Callable[[], None],
        hops: Hops | None = None,
    ) -> None:
        self._reader = reader
        self._fetching = reader.fetching
        self._alignment = alignment
        self._max_bytes = max_bytes
        self._current = current
        self._deliver = deliver
        self._alive = alive
        self._wanted: set[TP] = set()
        self._positions: Mapping[TP, int] = {}
        #: Partitions whose records went without a barrier, which the broker is still to be asked for.
        self._unbarred: set[TP] = set()
        #: Those for which it is being asked.
        self._asking: set[TP] = set()
        self._asked: asyncio.Task[None] | None = None
        #: The same for partitions that are joined with some behind a hop.
        self._held: set[TP] = set()
        self._passing: set[TP] = set()
        self._passed: asyncio.Task[None] | None = None
        self._hops = hops
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def want(self, partitions: set[TP]) -> None:
        """Have a batch of each of these partitions delivered: at once, or as soon as one is fetched."""
        self._wanted |= partitions
        if self._reader.has_any(partitions):
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
        self._fetching.feed(self._pump, self._wanted)
        self._pump()  # what was fetched before waits for no fetch
        try:
            while self._current() and not self._over.done():
                self._alive()
                await asyncio.wait({self._over}, timeout=FEED_CHECK_INTERVAL_S)
                self._pump()
                self._ask()
            if self._over.done():
                self._over.result()
        finally:
            self._fetching.feed(None, set())
            self.end()
            for task in (self._asked, self._passed):
                if task is not None:
                    task.cancel()

    def _pump(self) -> None:
        """Deliver what has been fetched of the partitions that are wanted."""
        if not self._wanted or not self._active():
            return
        try:
            records = self._reader.take(self._wanted, MAX_RECORDS, self._max_bytes)
        except Exception as exc:
            self._fail(exc)
            return
        self._wanted.difference_update(records)
        self._asking.difference_update(records)  # the answer would be older than the records
        self._unbarred.difference_update(records)
        self._passing.difference_update(records)
        barriers = {}
        for tp in records:
            others = self._alignment.others([tp])
            barrier = self._fetching.barrier(tp, others)
            if self._hops is not None and self._hops.over(others):
                self._held.add(tp)
            elif barrier is not None:
                barriers[tp] = barrier
            else:
                self._unbarred.add(tp)
        self._send(records, barriers)
        self._ask()

    def _active(self) -> bool:
        return not self._over.done() and self._current()

    def _fail(self, error: Exception) -> None:
        if not self._over.done():
            self._over.set_exception(error)

    def _send(self, records: Mapping[TP, list[Record]], barriers: Mapping[TP, Mapping[TP, int]]) -> None:
        positions = self._reader.read_to()
        if records or barriers or positions != self._positions:
            self._positions = positions
            self._deliver(Fetched(records, barriers, positions))

    def _ask(self) -> None:
        """Ask the broker for end offsets that no fetch told."""
        if self._unbarred and (self._asked is None or self._asked.done()):
            self._asked = asyncio.get_running_loop().create_task(self._ask_for_ends())
        if self._held and (self._passed is None or self._passed.done()):
            self._passed = asyncio.get_running_loop().create_task(self._wait_for_hops())

    async def _ask_for_ends(self) -> None:
        while self._unbarred and self._active():
            self._asking, self._unbarred = self._unbarred, set()
            others = self._alignment.others(self._asking)
            try:
                ends = await end_offsets(self._reader.client, others, self._reader.isolation_level)
            except KafkaError as exc:  # asked again at the next look; what waits for it is held until then
                logger.warning("End offsets of %d partitions are not to be had: %r", len(others), exc)
                self._unbarred |= self._asking
                return
            except Exception as exc:
                self._fail(exc)
                return
            barriers = {tp: {other: ends[other] for other in self._alignment.others([tp])} for tp in self._asking}
            if barriers and self._active():
                self._send({}, barriers)

    async def _wait_for_hops(self) -> None:
        """Wait until what was in the first topics has come through; then ask for the end offsets of the second ones."""
        while self._hops is not None and self._held and self._active():
            self._passing, self._held = self._held, set()
            others = self._alignment.others(self._passing)
            try:
                if not await self._hops.passed(self._hops.over(others), self._active):
                    return
                # Of open transactions, too: one that is committed may not show in the partitions yet.
                ends = await end_offsets(self._reader.client, others, READ_UNCOMMITTED)
            except KafkaError as exc:
                logger.warning("End offsets of %d partitions are not to be had: %r", len(others), exc)
                self._held |= self._passing
                return
            except Exception as exc:
                self._fail(exc)
                return
            barriers = {tp: {other: ends[other] for other in self._alignment.others([tp])} for tp in self._passing}
            if barriers and self._active():
                self._send({}, barriers)
