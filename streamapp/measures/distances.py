"""Distances: how far from each record of a stream the closest one of its key in another stream is."""

from __future__ import annotations

import bisect
from array import array
from collections import defaultdict
from typing import Final, NamedTuple

from streamapp.measures.histogram import DurationHistogram

__all__ = ["Distances", "Windows"]

#: As distance: there is none.
NONE: Final = -1


class Windows(NamedTuple):
    """Of how many records there is a partner, and how far away: what a window of so much would match."""

    #: Records of the left side, and those of them whose key the right one has at all.
    records: int
    with_partner: int
    #: How much earlier (ms) the closest right record is, of the left records that have one that is not later.
    before: DurationHistogram
    #: How much later, of those that have one that is later.
    after: DurationHistogram
    #: How far away the closest one is, on whichever side.
    nearest: DurationHistogram
    #: Of these, how many of the closest are earlier, later, and of the same time.
    earlier: int
    later: int
    same: int


class Distances:
    """Keeps the event times (ms) of two streams by key, 8 bytes a record, and compares them when all are in."""

    def __init__(self) -> None:
        self._times: tuple[dict[bytes, array[int]], dict[bytes, array[int]]] = (
            defaultdict(lambda: array("q")),
            defaultdict(lambda: array("q")),
        )

    def add(self, side: int, key: bytes, timestamp: int) -> None:
        """Take in a record of the left (0) or the right (1) side."""
        self._times[side][key].append(timestamp)

    def windows(self) -> Windows:
        """Compare each left record with the right ones of its key."""
        left, right = self._times
        before, after, nearest = DurationHistogram(), DurationHistogram(), DurationHistogram()
        sides = [0, 0, 0]
        for key, times in left.items():
            others = sorted(right.get(key, ()))
            for timestamp in times if others else ():
                place = bisect.bisect_right(others, timestamp)
                back = timestamp - others[place - 1] if place else NONE
                ahead = others[place] - timestamp if place < len(others) else NONE
                if back != NONE:
                    before.add(back)
                if ahead != NONE:
                    after.add(ahead)
                earlier = ahead == NONE or NONE < back <= ahead
                nearest.add(back if earlier else ahead)
                sides[2 if back == 0 else 0 if earlier else 1] += 1
        return Windows(sum(map(len, left.values())), nearest.count, before, after, nearest, *sides)

    def matched(self, before: int, after: int) -> int:
        """Return how many left records a window has matched: ``left - before <= right <= left + after`` (ms)."""
        left, right = self._times
        matched = 0
        for key, times in left.items():
            others = sorted(right.get(key, ()))
            for timestamp in times if others else ():
                place = bisect.bisect_left(others, timestamp - before)
                matched += place < len(others) and others[place] <= timestamp + after
        return matched
