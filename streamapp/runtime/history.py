"""The last minutes of each partition: every few seconds, how far it was written, and how far it was committed.

Kept in plain arrays, so that a worker can show lag and rates over time without a database of metrics beside it. A
sample of a partition takes 20 bytes, so its 15 minutes take 3,600, and those of 1,000 partitions 3.6 MB.
"""

from __future__ import annotations

import dataclasses
import math
from array import array
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from faust.types import TP

__all__ = ["EVERY_S", "SLOTS", "History", "Sample", "slot_of"]

#: Seconds between two samples, and how many there are of a partition: 15 minutes.
EVERY_S: Final = 5
SLOTS: Final = 180
#: In place of an offset: there is no sample.
NONE: Final = -1


class Sample(NamedTuple):
    """How a partition stands at one moment."""

    #: The offset that the next record will have.
    end: int
    #: The offset that the group goes on from.
    committed: int
    #: Age of the first record that is not committed (s); 0 = there is none, NaN = not known.
    seconds: float

    @property
    def lag(self) -> int:
        """Offsets that are not committed yet."""
        return max(0, self.end - self.committed)


def slot_of(now: float) -> int:
    """Return the number of the sample that is taken at a time (s since 1970): workers take theirs in step."""
    return int(now // EVERY_S)


@dataclasses.dataclass(slots=True)
class _Ring:
    ends: array[int] = dataclasses.field(default_factory=lambda: array("q", [NONE]) * SLOTS)
    committed: array[int] = dataclasses.field(default_factory=lambda: array("q", [NONE]) * SLOTS)
    seconds: array[float] = dataclasses.field(default_factory=lambda: array("f", [math.nan]) * SLOTS)
    #: The slot of the last sample.
    last: int = NONE


class History:
    """Samples of partitions, by slot; those that are older than the last `SLOTS` slots are forgotten."""

    def __init__(self) -> None:
        self._rings: dict[TP, _Ring] = {}
        self._slot = NONE

    def add(self, slot: int, samples: Mapping[TP, Sample]) -> None:
        """Take in the samples of a slot, which is not older than the one before; partitions may come and go."""
        self._slot = slot
        for tp, sample in samples.items():
            ring = self._rings.get(tp)
            if ring is None:
                ring = self._rings[tp] = _Ring(last=slot)
            for skipped in range(max(ring.last + 1, slot - SLOTS + 1), slot):
                ring.ends[skipped % SLOTS] = NONE
            at = slot % SLOTS
            ring.ends[at], ring.committed[at], ring.seconds[at] = sample
            ring.last = slot
        for tp in [tp for tp, ring in self._rings.items() if ring.last <= slot - SLOTS]:
            del self._rings[tp]

    @property
    def partitions(self) -> list[TP]:
        """The partitions of which there are samples."""
        return sorted(self._rings)

    def samples(self, tp: TP, slots: int = SLOTS) -> Iterator[tuple[int, Sample]]:
        """Go through the samples of a partition in the last slots, with their numbers, the oldest first."""
        ring = self._rings.get(tp)
        if ring is None:
            return
        for slot in range(max(0, self._slot - slots + 1), ring.last + 1):
            at = slot % SLOTS
            if ring.ends[at] != NONE:
                yield slot, Sample(ring.ends[at], ring.committed[at], ring.seconds[at])

    def rates(self, tp: TP, over_s: int = 60) -> tuple[float, float] | None:
        """Return how many offsets a second were written and committed lately; None = there is one sample, or none."""
        found = [*self.samples(tp, over_s // EVERY_S + 1)]
        if len(found) < 2:
            return None
        (begin, first), (stop, last) = found[0], found[-1]
        seconds = (stop - begin) * EVERY_S
        return max(0, last.end - first.end) / seconds, max(0, last.committed - first.committed) / seconds
