"""What a pipeline shows in the demo: what is produced for it, and what it came to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

__all__ = ["Counts", "Demonstrated", "Measured"]


class Counts(msgspec.Struct, frozen=True):
    """What became of the records of a pipeline's input; each is in one of these when all is done, but alerts."""

    records: int
    results: int
    rejected: int
    #: Of the results, those that somebody is to look at.
    alerts: int = 0
    #: Records that came too late.
    late: int = 0
    #: Those that are joined with others, and found none.
    unmatched: int = 0

    @property
    def pending(self) -> int:
        """Records of which nothing is known yet."""
        return self.records - self.results - self.unmatched - self.late - self.rejected


class Measured(NamedTuple):
    """What was measured of a pipeline."""

    #: How many records topics have, by their names without the prefix.
    topics: Mapping[str, int]
    #: How many of the input were rejected.
    rejected: int
    #: Metrics of the worker by their names, summed up.
    metrics: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Demonstrated:
    """How a pipeline is shown.

    Args:
        traffic: options of ``streamapp produce``: a bit of everything that it has to cope with.
        number: the option that says how many records there are.
        rate: records a second when no number is given.
        topics: of which records are counted, without the prefix; the input is the first one.
        sample: the topic of which some results are shown.
        counts: says what became of the records.
    """

    traffic: Sequence[str]
    number: str
    rate: int
    topics: Sequence[str]
    sample: str
    counts: Callable[[Measured], Counts]
