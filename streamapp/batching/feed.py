"""The feed: what is fetched goes to the agents' loop as soon as it is there, of each partition that has room there.

It is a Reactive Streams' demand, a batch at a time: the agents' loop says which partitions it `want`s a batch of, and
gets one of each, without a question for each one that would have to cross from thread to thread and back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from aiokafka.errors import KafkaError
from faust.types import TP

from streamapp.batching.alignment import Alignment
from streamapp.batching.batch import Record
from streamapp.batching.fetching import Fetching, end_offsets
from streamapp.batching.records import take

__all__ = ["Feed", "Fetched"]

logger = logging.getLogger(__name__)

#: Records of a partition that go to an agent at once, at most one record batch more: bounds what a failure repeats.
MAX_RECORDS: Final = 5_000
#: Seconds between two looks at what nothing tells of: positions that moved without a record, end offsets not had yet.
LOOK: Final = 1.0
#: Seconds that the thread pauses after a delivery; on Linux some 0.08 ms, of 0.5 that the other loop waited before.
HAND_OVER: Final = 20e-6


class Fetched(msgspec.Struct):
    """What came from the broker."""

    #: Counts what one feed has delivered.
    number: int
    records: Mapping[TP, list[Record]]
    #: For partitions whose records came last, how far those that go before them have to be read (`Alignment.learn`).
    barriers: Mapping[TP, Mapping[TP, int]]
    #: Next offsets to be fetched.
    positions: Mapping[TP, int]


class Feed:
    """Delivers what is fetched in one generation; lives in the consumer's thread.

    Args:
        consumer: aiokafka's consumer.
        fetching: its fetching.
        alignment: which partitions are joined.
        max_bytes: of the values of a partition's records that go at once, at most one record batch more.
        current: tells whether the generation is still the current one. After it nothing is taken any more: it would
            be thrown away, and be lost.
        deliver: takes what came.
    """

    def __init__(
        self,
        consumer: Any,
        fetching: Fetching,
        alignment: Alignment,
        *,
        max_bytes: int,
        current: Callable[[], bool],
        deliver: Callable[[Fetched], None],
    ) -> None:
        self._consumer = consumer
        self._fetcher = consumer._fetcher
        self._fetching = fetching
        self._alignment = alignment
        self._max_bytes = max_bytes
        self._current = current
        self._deliver = deliver
        self._wanted: set[TP] = set()
        self._positions: Mapping[TP, int] = {}
        #: Partitions whose records went without a barrier, which the broker is still to be asked for.
        self._unbarred: set[TP] = set()
        #: Those for which it is being asked.
        self._asking: set[TP] = set()
        self._asked: asyncio.Task[None] | None = None
        self._over: asyncio.Future[None] = consumer._loop.create_future()
        self._number = 0
        #: The number of the last delivery that is known to have been taken in.
        self.taken_in = 0

    def want(self, partitions: set[TP]) -> bool:
        """Have a batch of each of these partitions delivered, when there is one; may be called from any thread.

        The consumer's thread is not woken up for nothing, which would cost both threads more than a small batch does.

        Returns:
            whether there are records of some already: then `pump` is to be called, in the consumer's thread.
        """
        self._wanted |= partitions  # first: what comes from now on is pumped by its fetch
        return any(tp in self._fetcher._records for tp in partitions)

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
        self._fetching.feed(self.pump, self._wanted)
        self.pump()  # what was fetched before waits for no fetch
        try:
            while self._current() and not self._over.done():
                await self._watch()
                self.pump()
                self._ask()
                self._send({}, {})
            if self._over.done():
                self._over.result()
        finally:
            self._fetching.feed(None, set())
            self.end()
            if self._asked is not None:
                self._asked.cancel()

    async def _watch(self) -> None:
        """Wait for the end, for a fetch, and no longer than a look should wait.

        To aiokafka it is the wait for records, on which the member's place in the group depends
        (``max.poll.interval.ms``): so not while the agents' loop is stuck.
        """
        fetched: asyncio.Future[None] = self._fetcher._create_fetch_waiter()
        stuck = self.taken_in != self._number
        with contextlib.nullcontext() if stuck else self._fetcher._subscriptions.fetch_context():
            await asyncio.wait({fetched, self._over}, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
        if not fetched.cancel():
            fetched.exception()  # of the group, which `ConsumerThread` sees to

    def pump(self) -> None:
        """Deliver what has been fetched of the partitions that are wanted."""
        if not self._wanted or not self._active():
            return
        try:
            records = take(self._fetcher, self._wanted, MAX_RECORDS, self._max_bytes)
        except Exception as exc:
            self._fail(exc)
            return
        if not records:
            return
        self._wanted.difference_update(records)
        self._asking.difference_update(records)  # the answer would be older than the records
        self._unbarred.difference_update(records)
        barriers = {}
        for tp in records:
            barrier = self._fetching.barrier(tp, self._alignment.others([tp]))
            if barrier is not None:
                barriers[tp] = barrier
            else:
                self._unbarred.add(tp)
        self._send(records, barriers)
        # Without a pause this thread would keep the interpreter's lock, and the other loop wait, until the next fetch
        # has been asked for.
        time.sleep(HAND_OVER)
        self._ask()

    def _active(self) -> bool:
        reassigned: bool = self._fetcher._subscriptions.reassignment_in_progress
        return not self._over.done() and not reassigned and self._current()

    def _fail(self, error: Exception) -> None:
        if not self._over.done():
            self._over.set_exception(error)

    def _send(self, records: Mapping[TP, list[Record]], barriers: Mapping[TP, Mapping[TP, int]]) -> None:
        positions = self._read_to()
        if records or barriers or positions != self._positions or self.taken_in != self._number:
            self._number += 1
            self._positions = positions
            self._deliver(Fetched(self._number, records, barriers, positions))

    def _read_to(self) -> Mapping[TP, int]:
        subscription = self._fetcher._subscriptions.subscription
        assignment = subscription.assignment if subscription is not None else None
        if assignment is None:
            return {}
        states = {TP(*tp): assignment.state_value(tp) for tp in assignment.tps}
        return {tp: state.position for tp, state in states.items() if state and state.has_valid_position}

    def _ask(self) -> None:
        """Ask the broker for end offsets that no fetch told."""
        if self._unbarred and (self._asked is None or self._asked.done()):
            self._asked = asyncio.get_running_loop().create_task(self._ask_for_ends())

    async def _ask_for_ends(self) -> None:
        while self._unbarred and self._active():
            self._asking, self._unbarred = self._unbarred, set()
            others = self._alignment.others(self._asking)
            try:
                ends = await end_offsets(self._consumer._client, others, self._fetcher._isolation_level)
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
