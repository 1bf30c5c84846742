"""Histograms of durations: how many were at most so long, with an error of less than 1 %, in bounded memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["ERROR", "Bar", "DurationHistogram", "Share"]

#: Bits of a duration that are kept. Those of up to 255 ms are exact.
BITS: Final = 8
#: How much longer than the duration itself what is told may be, as a part of it.
ERROR: Final = 2 ** (1 - BITS)
#: All of them, in the unit of a share.
WHOLE: Final = 10_000


class Share(int):
    """A share in ten-thousandths, of which floats have no exact form."""

    def __str__(self) -> str:
        return f"{self / (WHOLE // 100):g} %"


class Bar(NamedTuple):
    """How many durations are longer than one (ms), and at most another one."""

    above: int
    up_to: int
    durations: int


class DurationHistogram:
    """Counts of durations (whole ms, none negative) by their first `BITS` binary digits, as HdrHistogram has them.

    There are at most 128 counts for each power of two, whatever comes. What is told of a duration is the longest one
    that counts with it, so at most `ERROR` of it too long, and never too short; the longest one of all is exact.
    """

    __slots__ = ("_counts", "count", "longest")

    def __init__(self) -> None:
        self._counts: defaultdict[int, int] = defaultdict(int)
        self.count = 0
        #: The longest duration (ms); -1 = there is none.
        self.longest = -1

    def add(self, duration: int, count: int = 1) -> None:
        """Take in a duration (ms), as often as it was there."""
        shift = duration.bit_length() - BITS
        # The longest of those that count together stands for them.
        self._counts[duration if shift <= 0 else ((duration >> shift) + 1 << shift) - 1] += count
        self.count += count
        if duration > self.longest:
            self.longest = duration

    def merge(self, other: DurationHistogram) -> None:
        """Take in what another one has."""
        for duration, count in other._counts.items():
            self._counts[duration] += count
        self.count += other.count
        self.longest = max(self.longest, other.longest)

    def holds(self, share: Share) -> int:
        """Return a duration (ms) that so many are not longer than; 0 if there are none.

        Raises:
            ValueError: for a share that is none.
        """
        if not 0 <= share <= WHOLE:
            raise ValueError(f"{share} is no share: there are {WHOLE} ten-thousandths")
        left = -(-self.count * share // WHOLE)
        for duration in sorted(self._counts):
            left -= self._counts[duration]
            if left <= 0:
                return min(duration, self.longest)
        return max(0, self.longest)

    def within(self, bound: int) -> int:
        """Return how many are at most so long (ms); of those that are as long but for the error, none."""
        if bound >= self.longest:
            return self.count
        return sum(count for duration, count in self._counts.items() if duration <= bound)

    def bars(self) -> Iterator[Bar]:
        """Go through the counts in powers of two of a ms, from 0 up to the longest one."""
        last = self.longest.bit_length() if self.longest > 0 else -1 + (self.count > 0)
        sums = [0] * (last + 1)
        for duration, count in self._counts.items():
            sums[duration.bit_length()] += count
        for power, count in enumerate(sums):
            yield Bar((1 << power >> 1) - 1, (1 << power) - 1, count)
