"""What was measured, a file for each part; a part that is not run again keeps its figures and their date."""

from __future__ import annotations

import dataclasses
import enum
from collections import defaultdict
from pathlib import Path
from typing import Final, Generic, Self, TypeVar

import msgspec

from benchmarks.client_results import Clients
from benchmarks.format_join import FormatWorkload
from benchmarks.format_results import LibraryFigures
from benchmarks.machine import About
from benchmarks.pairs import Pairs
from benchmarks.percentiles import Percentiles
from benchmarks.risk_results import Counts, DetectorSpeeds
from benchmarks.runner import Run, median
from benchmarks.tuning_results import Tuning
from benchmarks.windows import Windows
from benchmarks.workload import Load, Workload

__all__ = [
    "Formats",
    "Guarantees",
    "Latency",
    "Lone",
    "Part",
    "Profile",
    "Recovery",
    "Restore",
    "Results",
    "Runs",
    "SteadyLoad",
    "Takeover",
    "Takeovers",
    "save",
]


L = TypeVar("L", bound=Load)


class Part(enum.StrEnum):
    """The parts that can be run alone."""

    THROUGHPUT = "throughput"
    GUARANTEES = "guarantees"
    PAIRS = "pairs"
    WINDOWS = "windows"
    LATENCY = "latency"
    USERS = "users"
    SIZES = "sizes"
    PARTITIONS = "partitions"
    RECOVERY = "recovery"
    TAKEOVER = "takeover"
    RISK = "risk"
    SENSORS = "sensors"
    FORMATS = "formats"
    TUNING = "tuning"
    PROFILE = "profile"
    CLIENTS = "clients"


@dataclasses.dataclass(frozen=True)
class Runs(Generic[L]):
    """Runs of a whole join, in the order in which they were made.

    Args:
        left_out: peers that gave nothing, and why.
    """

    about: About
    runs: list[Run[L]]
    left_out: dict[str, str]

    def of(self, peer: str) -> Runs[L]:
        """Give the runs of one peer."""
        return dataclasses.replace(self, runs=[run for run in self.runs if run.peer == peer])

    def by_peer(self) -> dict[str, list[Run[L]]]:
        """Group the runs by peer, the fastest first."""
        groups: defaultdict[str, list[Run[L]]] = defaultdict(list)
        for run in self.runs:
            groups[run.peer].append(run)
        return dict(sorted(groups.items(), key=lambda group: -median(group[1]).per_s))

    def by_workload(self) -> dict[L, list[Run[L]]]:
        """Group the runs by workload, in the order in which they were made."""
        groups: defaultdict[L, list[Run[L]]] = defaultdict(list)
        for run in self.runs:
            groups[run.workload].append(run)
        return dict(groups)


@dataclasses.dataclass(frozen=True)
class Lone:
    """Times of records each of which was alone.

    Args:
        spaced: produced some time after the one before was read.
        straight: produced straight after that, so that no processor falls asleep.
    """

    spaced: Percentiles
    straight: Percentiles

    def __str__(self) -> str:
        return f"{self.spaced}; straight {self.straight}"


@dataclasses.dataclass(frozen=True)
class SteadyLoad:
    """Times from produced to readable, of clicks that came at a steady rate.

    Args:
        rate: clicks a second.
        seconds: for how long.
        missing: clicks without a joined record.
        repeated: joined records of a click that had one already.
    """

    rate: int
    seconds: float
    times: Percentiles
    missing: int
    repeated: int

    def __str__(self) -> str:
        return f"{self.times}, {self.missing} missing, {self.repeated} repeated"


@dataclasses.dataclass(frozen=True)
class Latency:
    """Times from produced to readable.

    Args:
        lone: of clicks each of which was alone, by peer.
        floor: of records that only go to the broker and back, alone.
        steady: of clicks at a steady rate, by peer.
        steady_floor: of the same load, read from its own topic; None = nothing came.
        left_out: peers that gave nothing, and why.
    """

    about: About
    lone: dict[str, Lone]
    floor: Lone
    steady: dict[str, SteadyLoad]
    steady_floor: SteadyLoad | None
    left_out: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Guarantees(Runs[Workload]):
    """Runs of programs that process at least once, and of the same ones exactly once.

    Args:
        lone: times of lone clicks from produced to readable (read_committed), by peer.
    """

    lone: dict[str, Lone]


@dataclasses.dataclass(frozen=True)
class Restore:
    """A start of streamapp with a changelog to read.

    Args:
        store: URL of the table store.
        kept: whether the store still had its rows.
        rows: changelog records that were read.
        seconds: that the worker says it took, from the assignment of its partitions until they were restored.
        start: seconds from the start of the process until it was ready.
        peak_mb: the most memory (MB) that was resident until then.
    """

    store: str
    kept: bool
    rows: int
    seconds: float
    start: float
    peak_mb: float

    def __str__(self) -> str:
        return (
            f"{self.store} {'kept' if self.kept else 'empty'}: {self.rows:,} rows in {self.seconds:.2f} s, "
            f"ready after {self.start:.2f} s, peak {self.peak_mb:,.0f} MB"
        )


@dataclasses.dataclass(frozen=True)
class Recovery:
    """Starts of streamapp with a table of this many rows."""

    about: About
    users: int
    restores: list[Restore]


@dataclasses.dataclass(frozen=True)
class Takeover:
    """A worker of streamapp that is stopped amid a load, while another one runs.

    Args:
        exactly_once: the guarantee of both.
        standby: whether the other one keeps the rows of its partitions, too.
        users: rows of the table, half of which are the stopped worker's.
        rows: changelog records that the other one read to take over.
        stop: seconds from SIGTERM until its process has ended.
        over: seconds from then until there are results, in each partition, of clicks that were produced after it.
    """

    exactly_once: bool
    standby: bool
    users: int
    rows: int
    stop: float
    over: float

    def __str__(self) -> str:
        return (
            f"{'exactly' if self.exactly_once else 'at least'} once, {self.users:,} rows, "
            f"{'a' if self.standby else 'no'} standby: ended in {self.stop:.2f} s, "
            f"the other went on in {self.over:.2f} s with {self.rows:,} changelog records read"
        )


@dataclasses.dataclass(frozen=True)
class Takeovers:
    """Workers of streamapp that are stopped amid a load."""

    about: About
    takeovers: list[Takeover]


@dataclasses.dataclass(frozen=True)
class Profile:
    """Where streamapp's time goes while it joins.

    Args:
        clicks: that were joined meanwhile.
        samples: stacks that were looked at, without those in which a thread waits.
        functions: how many of them by the innermost Python function.
        libraries: how many of them by what runs beneath it.
    """

    about: About
    clicks: int
    samples: int
    functions: dict[str, int]
    libraries: dict[str, int]


@dataclasses.dataclass(frozen=True)
class Formats:
    """What formats cost.

    Args:
        libraries: what each takes to encode and to decode, without Kafka.
        joins: the whole join of clicks with profiles, by the format of all its topics; None = not measured.
    """

    about: About
    libraries: list[LibraryFigures]
    joins: Runs[FormatWorkload] | None = None


#: What is measured of a part, if it is not a join of clicks with profiles.
KINDS: Final = {
    Part.GUARANTEES: Guarantees,
    Part.PAIRS: Runs[Pairs],
    Part.WINDOWS: Runs[Windows],
    Part.LATENCY: Latency,
    Part.RECOVERY: Recovery,
    Part.TAKEOVER: Takeovers,
    Part.RISK: Counts,
    Part.SENSORS: DetectorSpeeds,
    Part.FORMATS: Formats,
    Part.TUNING: Tuning,
    Part.PROFILE: Profile,
    Part.CLIENTS: Clients,
}


@dataclasses.dataclass(frozen=True)
class Results:
    """All that was ever measured; None = nothing yet."""

    throughput: Runs[Workload] | None = None
    guarantees: Guarantees | None = None
    pairs: Runs[Pairs] | None = None
    windows: Runs[Windows] | None = None
    latency: Latency | None = None
    users: Runs[Workload] | None = None
    sizes: Runs[Workload] | None = None
    partitions: Runs[Workload] | None = None
    recovery: Recovery | None = None
    takeover: Takeovers | None = None
    risk: Counts | None = None
    sensors: DetectorSpeeds | None = None
    formats: Formats | None = None
    tuning: Tuning | None = None
    profile: Profile | None = None
    clients: Clients | None = None

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what was saved."""
        files = {part: directory / f"{part}.json" for part in Part}
        return cls(
            **{
                part: msgspec.json.decode(file.read_bytes(), type=KINDS.get(part, Runs[Workload]))
                for part, file in files.items()
                if file.exists()
            }
        )


def save(directory: Path, part: Part, result: object) -> None:
    """Write down what was measured of a part."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{part}.json").write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
