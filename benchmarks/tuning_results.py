"""What comes of varying a setting."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from benchmarks.machine import About
from benchmarks.percentiles import Percentiles

__all__ = ["Detection", "Point", "Tuning", "Varied"]


@dataclasses.dataclass(frozen=True)
class Point:
    """What a worker, or a producer, did with one value of a setting.

    Args:
        value: as people read it.
        per_s: records a second of a backlog.
        cpu_us: CPU (µs) for each of these.
        peak_mb: the most memory (MB) that was resident at any time.
        times: (ms) from produced to readable, or to acknowledged, of records at a steady rate.
        steady_cpu_us: CPU (µs) for each of these.
        steady_broker_us: the broker's.
        stored_bytes: of a result, or a record, in the broker's log.
        output: ``right``, or what was wrong with it.
    """

    value: str
    per_s: float
    cpu_us: float
    peak_mb: float
    times: Percentiles
    steady_cpu_us: float
    steady_broker_us: float
    stored_bytes: float
    output: str

    def __str__(self) -> str:
        return (
            f"{self.value:>14}: {self.per_s:9,.0f}/s, CPU {self.cpu_us:.1f} µs, peak {self.peak_mb:,.0f} MB; steady: "
            f"{self.times}, CPU {self.steady_cpu_us:.1f} µs, broker {self.steady_broker_us:.1f} µs; "
            f"{self.stored_bytes:.0f} bytes each; {self.output}"
        )


@dataclasses.dataclass(frozen=True)
class Detection:
    """How long the partitions of a worker stood still that is gone, with one session timeout.

    Args:
        value: the timeout, as people read it.
        seconds: by what became of the worker, from then until there are results, in each partition, of clicks that were
            produced after it.
    """

    value: str
    seconds: Mapping[str, float]

    def __str__(self) -> str:
        return f"{self.value:>14}: " + ", ".join(f"{what} {seconds:.1f} s" for what, seconds in self.seconds.items())


@dataclasses.dataclass(frozen=True)
class Varied:
    """A setting at several values.

    Args:
        records: of the backlog.
        rate: records a second of the steady load, and seconds of it that count.
        points, detections: of which a setting has the one or the other.
    """

    about: About
    records: int
    rate: int
    seconds: float
    points: list[Point]
    detections: list[Detection]


@dataclasses.dataclass(frozen=True)
class Tuning:
    """All settings that were ever varied, by their names (`Knob.name`)."""

    varied: dict[str, Varied]
