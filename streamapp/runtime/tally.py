"""Tallies: how many records of a topic were taken, and how many of them came to nothing, since the start and lately."""

from __future__ import annotations

import dataclasses
from collections import Counter, deque
from typing import Final, NamedTuple

from faust.types import TP

__all__ = ["LEAST", "SOON", "SOON_S", "Example", "Loss", "Tally"]

#: Seconds that count as lately.
LATELY_S: Final = 60.0
#: So many records of that time are judged at once; fewer, down to `LEAST`, once the first is so many seconds old.
SOON: Final = 100
SOON_S: Final = 10.0
LEAST: Final = 10
#: The share of unmatched records that is told where they give results all the same.
MOSTLY_UNMATCHED: Final = 0.9


class Example(NamedTuple):
    """A record that came to nothing, and why, in words; its key, if that tells something."""

    tp: TP
    offset: int
    error: str = ""
    key: bytes | None = None


class Loss(NamedTuple):
    """Of how many records how many came to nothing, by reason."""

    taken: int
    reasons: Counter[str]
    #: Whether it is of all since the start, and not only of the last minute.
    from_start: bool

    @property
    def lost(self) -> int:
        """How many came to nothing."""
        return self.reasons.total()


class _Sample(NamedTuple):
    at: float
    taken: int
    rejected: Counter[str]
    unmatched: Counter[str]


@dataclasses.dataclass
class Tally:
    """What became of the records of a topic, as agents or a join took them; the counts only go up.

    Args:
        keeps: whether unmatched records give a result all the same.
    """

    keeps: bool = False
    taken: int = 0
    #: Records that cannot be used or were late, by reason.
    rejected: Counter[str] = dataclasses.field(default_factory=Counter)
    #: Those without a partner, by reason.
    unmatched: Counter[str] = dataclasses.field(default_factory=Counter)
    #: By reason, one of those that came last.
    examples: dict[str, Example] = dataclasses.field(default_factory=dict)
    _samples: deque[_Sample] = dataclasses.field(default_factory=deque)
    #: The reasons of which there is an example since the last look.
    _noted: set[str] = dataclasses.field(default_factory=set)

    def reject(self, reason: str, example: Example) -> None:
        """Count a record that cannot be used."""
        self.rejected[reason] += 1
        self.note(reason, example)

    def note(self, reason: str, example: Example) -> None:
        """Keep an example of a reason, if there is none since the last look."""
        if reason not in self._noted:
            self._noted.add(reason)
            self.examples[reason] = example

    def look(self, now: float, share: float) -> tuple[Loss, bool] | None:
        """Judge the last minute.

        Args:
            now: the time (s).
            share: of the records may come to nothing.

        Returns:
            what came to nothing, and whether that is too much; None = there is too little to judge.
        """
        self._sample(now)
        self._noted.clear()
        first = self._samples[0]
        rejected, unmatched = self.rejected - first.rejected, self.unmatched - first.unmatched
        reasons = rejected + unmatched
        # What waits for its window comes to nothing later than it was taken.
        loss = Loss(max(self.taken - first.taken, reasons.total()), reasons, not any(_counts(first)))
        limit = max(share, MOSTLY_UNMATCHED) if self.keeps else share
        bad = share < 1 and (rejected.total() > share * loss.taken or loss.lost > limit * loss.taken)
        too_few = loss.taken < LEAST or (loss.taken < SOON and now - self._began < SOON_S)
        # Of a few it is not told that they are bad; that they are good ends what was told of others before them.
        return None if not loss.taken or (bad and too_few) else (loss, bad)

    @property
    def _began(self) -> float:
        """When the first of the records was taken that are judged, to the second."""
        samples = iter(self._samples)
        first = next(samples)
        return next((sample.at for sample in samples if _counts(sample) != _counts(first)), first.at)

    def _sample(self, now: float) -> None:
        samples = self._samples
        if not samples:
            samples.append(_Sample(now, 0, Counter(), Counter()))
        samples.append(_Sample(now, self.taken, Counter(self.rejected), Counter(self.unmatched)))
        while samples[1].at <= now - LATELY_S:
            samples.popleft()


def _counts(sample: _Sample) -> tuple[int, int, int]:
    return sample.taken, sample.rejected.total(), sample.unmatched.total()
