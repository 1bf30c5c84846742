"""What a pipeline shows in the demo: what is produced for it, and what it came to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

__all__ = ["Counts", "Demonstrated", "Measured"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Counts:
    """What became of the records of a pipeline's input: ``records = results + late + rejected`` when all is done."""

    records: int
    results: int
    rejected: int
    #: Of the results, those that somebody is to look at.
    alerts: int = 0
    #: Records that came too late.
    late: int = 0
    #: The same in the words of the pipeline, which are told beside.
    named: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def pending(self) -> int:
        """Records of which nothing is known yet."""
        return self.records - self.results - self.late - self.rejected


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
        shown: makes JSON of the sample's values; None = they are JSON.
    """

    traffic: Sequence[str]
    number: str
    rate: int
    topics: Sequence[str]
    sample: str
    counts: Callable[[Measured], Counts]
    shown: Callable[[bytes], bytes] | None = None
