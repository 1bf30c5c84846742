"""Watches how far behind the partitions of this worker are, every few seconds, beside the way of a batch.

It does so during a recovery, too, when they fall behind the most. The broker is asked for the end offsets alone, some
partitions at a time, over connections that no fetch waits for. The rest is known here: what is committed, and the event
time of the first record that is not.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from aiokafka.errors import KafkaError
from faust.types import TP
from mode import Service

from streamapp.kafka.group import Group
from streamapp.kafka.log_reader import Log, LogError
from streamapp.kafka.reader import Reader
from streamapp.kafka.topic_metadata import EARLIEST, LATEST, end_offsets
from streamapp.rate_limit import RateLimit
from streamapp.runtime.alignment import Alignment
from streamapp.runtime.history import EVERY_S, History, Sample, slot_of
from streamapp.settings import Settings
from streamapp.worker.app import App

__all__ = ["STALE_S", "LagWatch", "read_by_group"]

#: Partitions whose ends are asked for at once: to write and read more would hold up the event loop for milliseconds.
AT_ONCE: Final = 100
#: Seconds that may be taken to look into partitions of which nothing is at hand, and how many of these at a time.
LOOK_S: Final = 1.0
LOOKED_AT: Final = 100
#: Seconds after which a sample tells nothing of now any more: the broker does not answer, or the worker stands still.
STALE_S: Final = 3.0 * EVERY_S
#: Seconds between two lines in the log about a look that fails.
TOLD_S: Final = 60.0
#: How the topic ends by which Faust (0.15.3) chooses a leader: nothing is read of it.
LEADER: Final = "-__assignor-__leader"


class WatchedConsumer(Protocol):
    """The consumer, as far as its lag is watched."""

    reader: Reader
    group: Group
    alignment: Alignment
    #: The partitions whose records agents get.
    inputs: frozenset[TP]


class LagWatch(Service):
    """Keeps how far behind the partitions of this worker are, now (`latest`) and in the last minutes (`history`)."""

    def __init__(self, app: App, consumer: WatchedConsumer) -> None:
        super().__init__()
        self._app = app
        self._consumer = consumer
        self.history = History()
        #: Of the partitions that this worker has, the last sample, and when it was taken (s since 1970).
        self.latest: Mapping[TP, Sample] = {}
        self.at = 0.0
        #: How many looks failed in a way that nobody thought of.
        self.failed = 0
        self._told = RateLimit(TOLD_S)
        #: Of partitions of whose next record nothing is at hand: what is committed of them, and that record's event
        #: time (ms), once it was looked up; None = it was not.
        self._unseen: dict[TP, tuple[int, int | None]] = {}

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await self.sleep(EVERY_S - time.time() % EVERY_S)
            await self.attempt()

    async def attempt(self) -> None:
        """Take samples if that is possible by now."""
        if self._consumer.reader.consumer is None:
            return
        try:
            async with asyncio.timeout(EVERY_S):
                await self.look()
        except (KafkaError, TimeoutError) as exc:  # a broker that is away is told of elsewhere
            self.log.debug("The lag is not told: %r", exc)
        except Exception:  # to look is no reason to end the worker
            self.failed += 1
            if self._told.due("look"):
                self.log.exception("The lag is not told: a look has failed")

    @property
    def current(self) -> Mapping[TP, Sample]:
        """The last samples, if they tell of now; otherwise none: how far behind the partitions are is not known."""
        return self.latest if time.time() - self.at < STALE_S else {}

    async def look(self) -> None:
        """Take a sample of each partition.

        Raises:
            KafkaError: if the broker does not tell.
        """
        inputs, alignment = self._consumer.inputs, self._consumer.alignment
        tps = sorted(tp for tp in inputs if read_by_group(tp.topic))
        committed = await self._committed(tps, alignment)
        ends = await self.ends(list(committed))
        oldest = {tp: None if tp not in alignment.lanes else alignment.lanes[tp].oldest for tp in ends}
        behind = {tp for tp, end in ends.items() if committed[tp] < end}
        await self._look_up({tp: (committed[tp], ends[tp]) for tp in behind if oldest[tp] is None})
        now, samples = time.time(), {}
        for tp, end in ends.items():
            seconds = 0.0
            if tp in behind:
                first = self._unseen[tp][1] if oldest[tp] is None else oldest[tp]
                seconds = math.nan if first is None or first < 0 else max(0.0, now - first / 1000)
            samples[tp] = Sample(end, committed[tp], seconds)
        if self._consumer.inputs is inputs:
            self.latest, self.at = samples, now
            self.history.add(slot_of(now), samples)

    async def ends(self, tps: Sequence[TP]) -> dict[TP, int]:
        """Ask for the end offsets of partitions, of what a worker with these settings reads."""
        return await self._offsets(tps, LATEST)

    async def committed(self, tps: Sequence[TP]) -> dict[TP, int]:
        """Ask from where the group goes on in partitions: what it never committed it reads from the first record on.

        Raises:
            KafkaError: if the broker does not tell.
        """
        reached = await self._consumer.group.reached(tps)
        never = [tp for tp in tps if tp not in reached]
        return {**reached, **await self._offsets(never, EARLIEST)}

    async def _offsets(self, tps: Sequence[TP], which: int) -> dict[TP, int]:
        reader, found = self._consumer.reader, {}
        for start in range(0, len(tps), AT_ONCE):
            some = tps[start : start + AT_ONCE]
            found.update(await end_offsets(reader.client, some, reader.isolation_level, which))
            await asyncio.sleep(0)
        return found

    async def _committed(self, tps: Sequence[TP], alignment: Alignment) -> dict[TP, int]:
        """Return what is committed; the broker is asked while nothing is read yet, as in a recovery."""
        lanes = {tp: alignment.lanes[tp] for tp in tps if tp in alignment.lanes}
        found = {tp: lane.committed for tp, lane in lanes.items() if lane.committed is not None}
        if asked := [tp for tp in tps if tp not in found]:
            found |= await self.committed(asked)
        return found

    async def _look_up(self, places: Mapping[TP, tuple[int, int]]) -> None:
        """Find the event time of the first records, given with the partitions' ends, of which none is at hand.

        The most are about to be fetched: only where one is still not at hand at the second look it is read.
        """
        before, self._unseen = self._unseen, {}
        for tp, (offset, _) in places.items():
            known = before.get(tp)
            self._unseen[tp] = known if known is not None and known[0] == offset else (offset, None)
        due = {
            tp: places[tp] for tp in places if tp in before and before[tp] == self._unseen[tp] and before[tp][1] is None
        }
        if due:
            some = dict(sorted(due.items())[:LOOKED_AT])
            for tp, first in (await asyncio.to_thread(_first_times, self._app.settings, some)).items():
                self._unseen[tp] = places[tp][0], first


def read_by_group(topic: str) -> bool:
    """Tell whether a topic that is assigned is one that is read by the group's offsets."""
    return not topic.endswith(LEADER)


def _first_times(settings: Settings, places: Mapping[TP, tuple[int, int]]) -> dict[TP, int]:
    """Read the event time (ms) of the first record from an offset on, and before an end, of each partition."""
    try:
        with Log(settings, LOOK_S, isolation_level=settings.isolation_level) as log:
            found = log.remaining(places, at_most=1)
    except LogError:
        return {}
    return {tp: one.first for tp, one in found.items() if one.first is not None}
