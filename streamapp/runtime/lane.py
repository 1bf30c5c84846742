"""A lane: what waits of one partition, which of it agents work on, and up to where it is done.

Kafka Streams calls what waits a RecordQueue.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Mapping, Sequence
from typing import cast

from faust.types import TP

from streamapp.joins import Wall
from streamapp.runtime.batch import Batch

__all__ = ["Lane", "Offsets"]


class Offsets:
    """Follows the work on one partition.

    Messages begin in the order of their offsets and may finish in any order; what may be committed is the offset after
    the last message before which nothing is left to do. Nothing is inferred from gaps in the offsets (compaction,
    transaction markers), which is where Faust's own tracking goes wrong.
    """

    __slots__ = ("_done", "_working", "committable")

    def __init__(self) -> None:
        self._working: deque[int] = deque()
        self._done: set[int] = set()
        #: The offset to commit, or None as long as nothing is finished.
        self.committable: int | None = None

    def begin(self, offset: int) -> None:
        """Take note that a message is on its way to the agents; of a batch, the offset of its last record."""
        self._working.append(offset)

    def finish(self, offset: int) -> None:
        """Take note that all agents are done with a message that began."""
        self._done.add(offset)
        working = self._working
        while working and working[0] in self._done:
            done = working.popleft()
            self._done.discard(done)
            self.committable = done + 1

    @property
    def pending(self) -> int:
        """How many messages began and are not finished."""
        return len(self._working) - len(self._done)


@dataclasses.dataclass(slots=True, eq=False)
class Lane:
    """One partition: what was fetched of it and waits, and whether an agent works on a part of it."""

    offsets: Offsets = dataclasses.field(default_factory=Offsets)
    #: The offset that was committed last, of this generation.
    committed: int | None = None
    waiting: Batch | None = None
    #: The event times (ms) by which its records go.
    times: Sequence[int] = ()
    #: The wall time (ms) at which it came, if all its records are ahead of that.
    ahead: int | None = None
    #: How many records of `waiting` have gone already.
    at: int = 0
    #: When it began to wait (s).
    since: float = 0.0
    #: Where each partition it is joined with has to be, if it has nothing at hand; None = not known yet.
    barrier: Mapping[TP, int] | None = None
    working: bool = False
    #: Of each part that agents got and that is not committed: its last offset, and its first record's event time (ms).
    begun: deque[tuple[int, int]] = dataclasses.field(default_factory=deque)

    def hold(self, batch: Batch, now: float, wall: Wall) -> None:
        """Let a fetched batch wait."""
        self.waiting, self.at, self.since, self.barrier = batch, 0, now, None
        self.times, self.ahead = batch.timestamps, None
        if batch.latest > wall.limit:
            if min(batch.timestamps) > wall.limit:
                self.ahead = wall.now
            else:
                self.times = batch.places = _in_place(batch.timestamps, wall.limit)

    def compare(self, ahead: bool) -> None:
        """Have waiting records that are all ahead go by their own times, or by that at which they came."""
        if self.ahead is not None and self.waiting is not None:
            times = self.waiting.timestamps
            self.times = times if ahead else [self.ahead] * len(times)

    @property
    def next_offset(self) -> int:
        """The offset of the first record that waits; there is one."""
        return cast(Batch, self.waiting).records[self.at].offset

    @property
    def last(self) -> int:
        """The largest event time (ms) of the records that wait; there are some."""
        waiting = cast(Batch, self.waiting)
        return waiting.latest if self.at == 0 and self.times is waiting.timestamps else max(self.times[self.at :])

    def until(self, latest: int | None) -> int:
        """Return the number of the first waiting record that is later than a time (ms); None = there is no bound."""
        times, stop = self.times, self.at
        if latest is None:
            return len(times)
        while stop < len(times) and times[stop] <= latest:
            stop += 1
        return stop

    def take(self, stop: int) -> Batch:
        """Take the waiting records before number `stop` for an agent; there are some."""
        waiting = cast(Batch, self.waiting)
        batch = waiting if self.at == 0 and stop == len(waiting) else waiting.part(self.at, stop)
        self.at = stop
        if stop == len(waiting):
            self.waiting = self.barrier = None
        self.working = True
        last = batch.records[-1].offset
        self.offsets.begin(last)
        self.begun.append((last, batch.records[0].timestamp))
        return batch

    def commit(self, offset: int) -> None:
        """Take note of the offset that is committed."""
        self.committed = offset
        while self.begun and self.begun[0][0] < offset:
            self.begun.popleft()

    @property
    def oldest(self) -> int | None:
        """The event time (ms) of the first record at hand that is not committed; None = there is none at hand."""
        if self.begun:
            return self.begun[0][1]
        return None if self.waiting is None else self.waiting.records[self.at].timestamp


def _in_place(timestamps: Sequence[int], limit: int) -> list[int]:
    """Return times, of which those after a limit (ms) are replaced by the one before, or by the next; not all are."""
    time = next(timestamp for timestamp in timestamps if timestamp <= limit)
    places = []
    for timestamp in timestamps:
        time = timestamp if timestamp <= limit else time
        places.append(time)
    return places
