"""Tumbling and hopping windows: aligned to the epoch, or to the days of a time zone."""

from __future__ import annotations

import dataclasses
from typing import Final

from streamapp.joins.declared import duration
from streamapp.joins.join import Operator
from streamapp.joins.state import State
from streamapp.windows.assignment import Assignment
from streamapp.windows.durations import Duration, milliseconds
from streamapp.windows.time_windows_operator import TimeWindowsOperator
from streamapp.windows.windowed import Windowed
from streamapp.windows.windowed_aggregate import WindowedAggregate
from streamapp.windows.zones import zone_of

__all__ = ["TimeWindows", "hopping", "tumbling"]

DAY_MS: Final = 86_400_000
#: By how much a day may be longer, when the clocks are changed.
HOUR_MS: Final = 3_600_000


@dataclasses.dataclass(frozen=True)
class TimeWindows:
    """Windows ``start <= timestamp < end`` of the same size, which begin at regular times.

    Args:
        size: length of a window (ms).
        advance: from the start of one to that of the next (ms): the size, or less, and they overlap.
        offset: how long (ms) after the epoch, or midnight, one begins; smaller than ``advance``.
        zone: where that midnight is, of windows of whole days: those on which the clocks are changed are 23 or 25 hours
            long. None = UTC.

    Raises:
        ValueError: for windows that leave gaps, an offset out of its bounds, a zone that is unknown or no use.
    """

    size: int
    advance: int
    offset: int = 0
    zone: str | None = None

    def __post_init__(self) -> None:
        if self.size <= 0:
            raise ValueError(f"the size of windows must be more than 0, but is {self.size} ms")
        if not 0 < self.advance <= self.size:
            told = f"windows of {duration(self.size)} cannot advance by {duration(self.advance)}"
            raise ValueError(f"{told}: that must be more than 0, and not more than the size")
        if not 0 <= self.offset < self.advance:
            told = f"an offset of {self.offset} ms for windows that begin every {duration(self.advance)}"
            raise ValueError(f"{told}: it must be at least 0, and less than that")
        if self.zone is not None:
            zone_of(self.zone)
            if self.size % DAY_MS or self.advance % DAY_MS:
                raise ValueError(f"zone={self.zone!r} is for windows of whole days, such as 1d or 7d")

    @property
    def kind(self) -> str:
        """What they are called in a declaration."""
        return "aggregates in time windows"

    @property
    def span(self) -> int:
        """How far (ms) the end of a window may be behind a record in it."""
        return self.size if self.zone is None else self.size + HOUR_MS

    def check(self, join: WindowedAggregate) -> None:
        """Take any aggregates."""

    def start(self, join: WindowedAggregate, state: State) -> Operator[Windowed]:
        """Begin, or go on, with what the state of a partition holds."""
        zone = None if self.zone is None else zone_of(self.zone)
        return TimeWindowsOperator(join, Assignment(self.size, self.advance, self.offset, zone), state)


def tumbling(size: Duration, *, offset: Duration = 0, zone: str | None = None) -> TimeWindows:
    """Return windows that follow each other without gaps: each record is in one; ``1m``, a `timedelta` or ms."""
    length = milliseconds(size)
    return TimeWindows(length, length, milliseconds(offset), zone)


def hopping(size: Duration, advance: Duration, *, offset: Duration = 0, zone: str | None = None) -> TimeWindows:
    """Return windows of a size of which one begins each ``advance``, so that they overlap."""
    return TimeWindows(milliseconds(size), milliseconds(advance), milliseconds(offset), zone)
