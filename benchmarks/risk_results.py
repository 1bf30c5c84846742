"""What was measured of programs that count transactions, and of the detector of anomalies."""

from __future__ import annotations

import dataclasses

from benchmarks.machine import About
from benchmarks.percentiles import Percentiles

__all__ = ["Counted", "CountedRate", "Counts", "DetectorSpeed", "DetectorSpeeds"]


@dataclasses.dataclass(frozen=True)
class CountedRate:
    """What a program made of a steady load.

    Args:
        rate: transactions a second.
        seconds: that count.
        times: from the append of a transaction at the broker until a result that counts it was read; None = none was.
        missing: transactions that no result counts.
        cpu_us: CPU of the program a transaction (µs).
    """

    rate: int
    seconds: float
    times: Percentiles | None
    missing: int
    cpu_us: float

    def __str__(self) -> str:
        return f"{self.rate:,}/s: {self.times or 'nothing'}, {self.missing:,} missing, CPU {self.cpu_us:.1f} µs"


@dataclasses.dataclass(frozen=True)
class Counted:
    """What a program made of all loads.

    Args:
        rates: the steady ones.
        backlog: transactions that were there all at once at the end.
        per_s: so many of these a second, from the first append to the last result.
        backlog_cpu_us: CPU of the program for each of them (µs).
        peak_mb: the most memory (MB) that was resident at any time.
        results: how many there were in all.
        wrong: how many of these have a wrong count.
    """

    rates: list[CountedRate]
    backlog: int
    per_s: float
    backlog_cpu_us: float
    peak_mb: float
    results: int
    wrong: int

    def __str__(self) -> str:
        rates = "; ".join(map(str, self.rates))
        return (
            f"{rates}; {self.per_s:,.0f}/s of {self.backlog:,} at once, CPU {self.backlog_cpu_us:.1f} µs, "
            f"peak {self.peak_mb:,.0f} MB, {self.wrong:,} of {self.results:,} results wrong"
        )


@dataclasses.dataclass(frozen=True)
class Counts:
    """What programs made of transactions, by peer."""

    about: About
    counted: dict[str, Counted]
    left_out: dict[str, str]


@dataclasses.dataclass(frozen=True)
class DetectorSpeed:
    """What a reading costs the detector of anomalies.

    Args:
        version: of the detector.
        batch: readings at a time.
        engine_us: CPU of the detector alone a reading (µs), on arrays.
        operator_us: the same with the decoding of JSON and the state.
    """

    version: str
    batch: int
    engine_us: float
    operator_us: float

    def __str__(self) -> str:
        return (
            f"{self.version:<7} batches of {self.batch:>5,}: "
            f"{self.engine_us:6.2f} µs a reading, {self.operator_us:6.2f} with JSON and state"
        )


@dataclasses.dataclass(frozen=True)
class DetectorSpeeds:
    """What a reading costs, by version and batch."""

    about: About
    speeds: list[DetectorSpeed]
