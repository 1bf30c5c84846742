"""What can be seen of a peer from outside while it works, and the figures made of that."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

import psutil

__all__ = ["CORES", "Figures", "ProcessTree", "Sample", "Sampler", "stored_bytes"]

#: Samples after which new child processes are looked for: that reads all of /proc.
LOOK_EVERY: Final = 20
CORES: Final = psutil.cpu_count() or 1


@dataclasses.dataclass(frozen=True)
class Sample:
    """The state of things at one moment.

    Args:
        at: seconds since the peer was started.
        records: joined records that can be read.
        cpu: seconds of CPU that the peer has used.
        memory: resident bytes of the peer.
        broker_cpu: seconds of CPU that the broker has used.
        other_cpu: seconds of CPU that were used by, or stolen for, neither of them nor the harness.
    """

    at: float
    records: int
    cpu: float
    memory: int
    broker_cpu: float
    other_cpu: float


class ProcessTree:
    """The CPU and the memory of a process and its children.

    Args:
        pid: of the process.
    """

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._members = {pid: self._root}
        self._cpu: dict[int, float] = {}
        self._looks = 0

    def usage(self) -> tuple[float, int]:
        """Give the seconds of CPU used so far, by those that have ended too, and the resident bytes now."""
        memory = 0
        try:
            if self._looks % LOOK_EVERY == 0:
                self._members |= {child.pid: child for child in self._root.children(recursive=True)}
        except psutil.NoSuchProcess:
            pass
        self._looks += 1
        for pid, process in self._members.items():
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    self._cpu[pid] = times.user + times.system
                    memory += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return sum(self._cpu.values()), memory


def stored_bytes(broker: int, topic: str) -> int:
    """Sum up the log files of a topic that a broker (its process id) has open, which are all of its records."""
    files = (Path(file.path) for file in psutil.Process(broker).open_files())
    logs = (file for file in files if file.suffix == ".log" and file.parent.name.rpartition("-")[0] == topic)
    return sum(log.stat().st_size for log in logs)


class Sampler:
    """Looks at a peer, at the broker, and at what the machine does besides.

    Args:
        peer: process id.
        broker: process id.
    """

    def __init__(self, peer: int, broker: int) -> None:
        self._peer, self._broker = ProcessTree(peer), ProcessTree(broker)
        self._harness = psutil.Process()
        self._begin = time.monotonic()

    def sample(self, records: int) -> Sample:
        """Take a sample now, when so many records can be read."""
        at = time.monotonic() - self._begin
        (cpu, memory), (broker_cpu, _) = self._peer.usage(), self._broker.usage()
        times, own = psutil.cpu_times(), self._harness.cpu_times()
        busy = sum(times) - times.idle - getattr(times, "iowait", 0.0)
        return Sample(at, records, cpu, memory, broker_cpu, busy - cpu - broker_cpu - own.user - own.system)


@dataclasses.dataclass(frozen=True)
class Figures:
    """What a run of a peer came to.

    Args:
        records: joined records in all.
        start_up: seconds from the start of the process to the first joined record.
        seconds: from the start of the process to the last joined record.
        per_s: records a second between the first and the last.
        steady_per_s: records a second between a tenth and nine tenths of them.
        cpu_us: CPU of the peer a record (µs), from the start of the process to the last record.
        steady_cpu_us: the same between a tenth and nine tenths of the records.
        broker_us: CPU of the broker a record (µs), from the start of the process to the last record.
        peak_mb: the most memory (MB) that was resident at any time.
        others: the share of the machine's CPU that went elsewhere meanwhile; much of it spoils the other figures.
    """

    records: int
    start_up: float
    seconds: float
    per_s: float
    steady_per_s: float
    cpu_us: float
    steady_cpu_us: float
    broker_us: float
    peak_mb: float
    others: float

    def __str__(self) -> str:
        return (
            f"{self.per_s:9,.0f}/s, steady {self.steady_per_s:9,.0f}/s, from the start {self.total_per_s:9,.0f}/s, "
            f"start-up {self.start_up:5.2f} s, CPU {self.cpu_us:6.2f} µs, steady {self.steady_cpu_us:6.2f} µs, "
            f"broker {self.broker_us:5.2f} µs, peak {self.peak_mb:5,.0f} MB, others {self.others:3.0%}"
        )

    @property
    def total_per_s(self) -> float:
        """Records a second from the start of the process to the last record."""
        return self.records / self.seconds

    @classmethod
    def median(cls, figures: Sequence[Self]) -> Self:
        """Give the median of each figure, over several runs."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: statistics.median(getattr(one, name) for one in figures) for name in names})

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Self:
        """Make the figures of a run that has given records.

        The first record is taken to come right after the last sample without one, which at worst makes the rate
        too small by one sample.
        """
        records = samples[-1].records
        before = [sample for sample in samples if not sample.records][-1]
        last = next(sample for sample in samples if sample.records == records)
        low, high = (_crossing(samples, records * share) for share in (0.1, 0.9))
        return cls(
            records=records,
            start_up=before.at,
            seconds=last.at,
            per_s=records / (last.at - before.at),
            steady_per_s=0.8 * records / max(high.at - low.at, 1e-3),
            cpu_us=last.cpu / records * 1e6,
            steady_cpu_us=(high.cpu - low.cpu) / (0.8 * records) * 1e6,
            broker_us=(last.broker_cpu - samples[0].broker_cpu) / records * 1e6,
            peak_mb=max(sample.memory for sample in samples) / 1e6,
            others=(last.other_cpu - samples[0].other_cpu) / (last.at * CORES),
        )


def _crossing(samples: Sequence[Sample], records: float) -> Sample:
    """Give the moment when there were so many records, between two samples."""
    after = next(number for number, sample in enumerate(samples) if sample.records >= records)
    one, two = samples[after - 1], samples[after]
    share = (records - one.records) / (two.records - one.records)

    def between(of: Callable[[Sample], float]) -> float:
        return of(one) + share * (of(two) - of(one))

    return Sample(
        at=between(lambda sample: sample.at),
        records=int(records),
        cpu=between(lambda sample: sample.cpu),
        memory=two.memory,
        broker_cpu=between(lambda sample: sample.broker_cpu),
        other_cpu=between(lambda sample: sample.other_cpu),
    )
