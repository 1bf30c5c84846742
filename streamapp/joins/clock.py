"""The event clock of a partition: what time it is, as far as its records tell, and as far as the wall clock allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sortedcontainers import SortedSet

__all__ = ["BEGINNING", "END", "Clock", "Wall"]

#: A time (ms) before all records, and one after all.
BEGINNING: Final = -(1 << 62)
END: Final = 1 << 62
_NEVER: Final = END + 1
#: Of the records that are ahead, the clock remembers one a second, and none that is further ahead than a day.
SLICE_MS: Final = 1_000
REMEMBERED_MS: Final = 86_400_000


class Wall:
    """The wall clock, as far as it bounds event clocks: joins have none of their own, so it shows what it is set to.

    As long as it is not set there is no bound.
    """

    __slots__ = ("beyond", "limit", "now", "passed", "strict", "time")

    def __init__(self) -> None:
        #: The wall time (ms) for what goes by it, whether or not it bounds event clocks.
        self.time = 0
        #: The wall time (ms).
        self.now = END
        #: The latest event time (ms) to which a record may push a clock.
        self.limit = END
        #: The event time (ms) up to which records that were ahead count after all.
        self.passed = END
        #: The furthest (ms) of the stored clocks that were beyond the limit.
        self.beyond: int | None = None
        #: Whether such a one is wrong, and not to be gone on from; otherwise it may be the wall clock that is.
        self.strict = False

    def set(self, now: int, max_ahead: int) -> None:
        """Set the wall time (ms), which must not go back, and how far ahead (ms) of it a record may push a clock."""
        self.time, self.now, self.limit, self.passed = now, now, now + max_ahead, now - max_ahead


class Clock:
    """The largest event time (ms) seen; it never goes back, and stands still while no record comes.

    One record with a wrong time must not make all others late. So one that is ahead, beyond the limit of the wall
    clock, does not move it; it counts only when the wall clock is past it by as much as a record may be ahead. By then
    other records have moved the clock past it as a rule. Where all are ahead, the clock goes with the wall clock.

    Args:
        wall: bounds it; None = nothing does.
    """

    __slots__ = ("_ahead", "_due", "furthest", "now", "wall")

    def __init__(self, wall: Wall | None = None) -> None:
        self.wall = wall or Wall()
        self.now: int | None = None
        #: The event time (ms) of the record that was the furthest ahead; it may have been passed since.
        self.furthest = BEGINNING
        #: Times of records that are ahead, in slices, and the first of them (ms).
        self._ahead: SortedSet[int] = SortedSet()
        self._due = _NEVER

    @property
    def time(self) -> int:
        """The event time (ms); `BEGINNING` before the first record."""
        return BEGINNING if self.now is None else self.now

    @property
    def past(self) -> int | None:
        """The event time (ms), as far as it is past by the wall clock too; None before the first record."""
        return None if self.now is None else min(self.now, self.wall.now)

    def advance(self, timestamp: int) -> None:
        """Take note of a record's event time (ms)."""
        wall = self.wall
        if self._due <= wall.passed:
            self._settle()
        if timestamp > wall.limit:
            self._remember(timestamp)
        elif self.now is None:
            self.now = timestamp if timestamp > BEGINNING else None
        elif timestamp > self.now:
            self.now = timestamp

    def advance_over(self, timestamps: Sequence[int]) -> None:
        """Take note of the event times (ms) of a batch."""
        latest = max(timestamps, default=BEGINNING)
        for timestamp in timestamps if latest > self.wall.limit else (latest,):
            self.advance(timestamp)

    def restore(self, stored: int | None) -> None:
        """Go on from a time (ms) that was stored; if it is known to be wrong, from what comes next."""
        self.now = stored
        if stored is not None and stored > self.wall.limit:
            self.wall.beyond = max(stored, self.wall.beyond or stored)
            self.now = None if self.wall.strict else stored

    @property
    def overdue(self) -> bool:
        """Whether a record that was ahead is to count now, which it does with the next `advance`."""
        return self._due <= self.wall.passed

    def _remember(self, timestamp: int) -> None:
        self.furthest = max(self.furthest, timestamp)
        if timestamp <= self.wall.limit + REMEMBERED_MS:
            self._ahead.add(timestamp // SLICE_MS)
            self._due = self._ahead[0] * SLICE_MS

    def _settle(self) -> None:
        while self._due <= self.wall.passed:
            self.now = max(self.time, self._due)
            self._ahead.pop(0)
            self._due = self._ahead[0] * SLICE_MS if self._ahead else _NEVER
