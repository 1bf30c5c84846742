"""Which tumbling or hopping windows hold a time."""

from __future__ import annotations

from typing import NamedTuple

from streamapp.joins.hopping import starts
from streamapp.windows.zones import Zone

__all__ = ["Assignment", "Pane"]


class Pane(NamedTuple):
    """Times (ms) that are in the same windows: ``low <= timestamp < high``."""

    low: int
    high: int
    #: Start and end of each of them, the earliest first.
    windows: list[tuple[int, int]]


class Assignment:
    """Windows ``start <= timestamp < end``, of a size, one each so many ms since the epoch, with an offset.

    None begins before the epoch, unless a time is in no other one. In a time zone all that is by the clocks on the
    wall, from 1970-01-01 00:00 on.
    """

    def __init__(self, size: int, advance: int, offset: int, zone: Zone | None) -> None:
        self._size = size
        self._advance = advance
        self._offset = offset
        self._zone = zone

    def pane(self, timestamp: int) -> Pane:
        """Return the windows that hold an event time (ms)."""
        low, high, windows = self._plain(timestamp) if self._zone is None else self._zoned(timestamp, self._zone)
        if windows[0][0] < 0 < len(windows) - 1:
            windows = [window for window in windows if window[0] >= 0] or windows[-1:]
        return Pane(low, high, windows)

    def _plain(self, timestamp: int) -> Pane:
        size, advance = self._size, self._advance
        begins = starts(timestamp, size, advance, self._offset)
        low, high = max(begins[-1], begins[0] - advance + size), min(begins[-1] + advance, begins[0] + size)
        return Pane(low, high, [(start, start + size) for start in begins])

    def _zoned(self, timestamp: int, zone: Zone) -> Pane:
        number = (zone.wall(timestamp) - self._offset) // self._advance
        # Where the clocks are changed at the turn of a window they show the times around it twice, or never.
        while self._bounds(number, zone)[0] > timestamp:
            number -= 1
        while self._bounds(number + 1, zone)[0] <= timestamp:
            number += 1
        (low, _), (high, _) = self._bounds(number, zone), self._bounds(number + 1, zone)
        windows: list[tuple[int, int]] = []
        while (bounds := self._bounds(number, zone))[1] > timestamp:
            if not windows or bounds[0] < windows[-1][0]:  # a day that the clocks have skipped has no window
                windows.append(bounds)
            number -= 1
        return Pane(max(low, bounds[1]), min(high, windows[-1][1]), windows[::-1])

    def _bounds(self, number: int, zone: Zone) -> tuple[int, int]:
        start = number * self._advance + self._offset
        return zone.instant(start), zone.instant(start + self._size)
