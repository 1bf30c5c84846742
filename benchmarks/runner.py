"""One run of a peer: started, watched from outside until its output is whole, stopped, and its output checked."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

from benchmarks.check import Check, check
from benchmarks.peers import Job, Peer
from benchmarks.sampling import Figures, Sample, Sampler
from benchmarks.topics import Topics
from benchmarks.workload import SPAN, Load

__all__ = ["START", "START_PER_RECORD", "PeerError", "Run", "Runner", "median", "median_again"]

L = TypeVar("L", bound=Load)

#: Seconds between two samples: a peer that needs two seconds for all still has a hundred of them.
EVERY: Final = 0.02
#: Seconds without a new record after which no more are waited for; some peers write in bursts, and windows end in them.
STALL: Final = 30.0
#: Seconds until a peer must have given its first record, and what each record to be read adds to that.
START: Final = 120.0
START_PER_RECORD: Final = 1e-4
#: Seconds that a peer has to end after SIGTERM.
STOP: Final = 30.0
#: What the peers' producers are told to wait for more records (ms): the best rate asks for it.
LINGER_MS: Final = 50


class PeerError(Exception):
    """A peer that did not do its job; the text is one line that says where its log is."""


@dataclasses.dataclass(frozen=True)
class Run(Generic[L]):
    """What came of one run of a peer.

    Args:
        peer: its name.
        workload: what it had to join.
        figures: what that took.
        check: whether the output is right.
        progress: (seconds since the start of the process, joined records) at up to a hundred moments.
        again: what it took a second process, which had the table of the first one; None = there was none.
    """

    peer: str
    workload: L
    figures: Figures
    check: Check
    progress: list[tuple[float, int]]
    again: Figures | None = None

    def __str__(self) -> str:
        again = "" if self.again is None else f"; again {self.again}"
        return f"{self.peer:16} {self.workload.prefix:24} {self.figures}  {self.check}{again}"


def median(runs: Sequence[Run[L]]) -> Figures:
    """Give the median of each figure of some runs."""
    return Figures.median([run.figures for run in runs])


def median_again(runs: Sequence[Run[L]]) -> Figures | None:
    """Give the median of each figure of the runs' second processes; None = there were none."""
    again = [run.again for run in runs if run.again is not None]
    return Figures.median(again) if again else None


class Runner:
    """Runs peers on one broker, one after the other.

    Args:
        topics: those of the broker.
        broker_pid: its process.
        directory: where peers keep their state, which is deleted, and their logs, which are not.
    """

    def __init__(self, topics: Topics, broker_pid: int, directory: Path) -> None:
        self.topics = topics
        self.broker_pid = broker_pid
        self._directory = directory
        self._filled: set[Load] = set()
        self._jobs = 0
        self._warm = False

    def warm_up(self, peer: Peer, workload: Load) -> None:
        """Let a peer run for nothing, once: the broker's JVM compiles its code meanwhile, for which nobody is to pay.

        Raises:
            PeerError: if it gives no record, or ends.
        """
        if not self._warm:
            self._warm = True
            print("not counted, while the broker warms up:", flush=True)
            self.run(peer, workload)

    def run(self, peer: Peer, workload: L, *, again: bool = False) -> Run[L]:
        """Let a peer join a whole workload, from nothing.

        Args:
            peer: the peer.
            workload: what it has to join.
            again: then stop it, and let it join the same clicks with the table that it has.

        Raises:
            PeerError: if it gives no record, or ends.
        """
        if workload not in self._filled:
            self.topics.fill(workload.prefix, workload, _now() - workload.span)
            self._filled.add(workload)
        results = workload.results  # counted before anything is timed: it may take seconds
        with self.job(peer, workload, prefix=workload.prefix) as job:
            samples, checked = self._once(peer, job, workload, results)
            figures, second = Figures.of(samples), None
            if again:
                self.topics.rewind(job.group, job.clicks, job.partitions)
                more, check_again = self._once(peer, self._with_new_output(job), workload, results)
                second, checked = Figures.of(more), checked + check_again
        shown = [*samples[: -1 : len(samples) // 100 + 1], samples[-1]]
        progress = [(round(sample.at, 2), sample.records) for sample in shown]
        run = Run(peer.name, workload, figures, checked, progress, second)
        print(run, flush=True)
        return run

    def _once(self, peer: Peer, job: Job, workload: Load, results: int) -> tuple[list[Sample], Check]:
        with self.process(peer, job) as process:
            samples = self.watch(process, job, peer, START + START_PER_RECORD * workload.records, results)
        messages = self.topics.read(job.joined, workload.partitions)
        output = ((message.key(), message.value()) for message in messages)
        return samples, check(workload, workload.settled(output) if peer.updates else output)

    def _with_new_output(self, job: Job) -> Job:
        other = dataclasses.replace(job, joined=f"{job.joined}-again")
        self.topics.create(other.joined, other.partitions)
        return other

    def forget(self, workload: Load) -> None:
        """Delete the topics of a workload."""
        self.topics.delete(workload.prefix)
        self._filled.discard(workload)

    @contextlib.contextmanager
    def job(
        self, peer: Peer, workload: Load, *, prefix: str = "", linger_ms: int = LINGER_MS, span: int = SPAN
    ) -> Iterator[Job]:
        """Make a job, whose topics and directory are deleted at the end of the `with`.

        Args:
            peer: that gets it.
            workload: whose partitions it has.
            prefix: of the topics of the workload; without one, the job gets topics of its own, whose event times end
                now.
            linger_ms: see `Job`.
            span: how long ago (ms) the event times of topics of its own begin.
        """
        self._jobs += 1
        group = f"{peer.name}-{os.getpid()}-{self._jobs:04}"
        state = self._directory / "state" / group
        state.mkdir(parents=True)
        job = Job(
            broker=self.topics.bootstrap,
            prefix=prefix or f"{group}.",
            joined=f"{group}.joined",
            group=group,
            state=state,
            partitions=workload.partitions,
            linger_ms=linger_ms,
        )
        if not prefix:
            self.topics.fill(job.prefix, workload, _now() - span)
        self.topics.create(job.joined, workload.partitions)
        try:
            yield job
        finally:
            self.topics.delete(group)
            shutil.rmtree(state, ignore_errors=True)

    @contextlib.contextmanager
    def process(self, peer: Peer, job: Job) -> Iterator[subprocess.Popen[bytes]]:
        """Start a peer's process; it and its children are stopped at the end of the `with`."""
        with self.log(job).open("ab") as log:
            process = subprocess.Popen(
                peer.command(job),
                env={**os.environ, **peer.environment(job)},
                cwd=job.state,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own, so that its children can be ended with it.
                start_new_session=True,
            )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def log(self, job: Job) -> Path:
        """Give the log file of a job."""
        path = self._directory / "logs" / f"{job.state.name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def check_alive(self, process: subprocess.Popen[bytes], job: Job) -> None:
        """See whether a peer still runs.

        Raises:
            PeerError: if it does not.
        """
        if process.poll() is not None:
            raise PeerError(f"{job.group} ended with {process.returncode}; its log: {self.log(job)}")

    def _joined(self, job: Job, peer: Peer) -> int:
        """Count the joined records that can be read.

        With transactions, end offsets count their markers, too; then it is the clicks that are committed with them.
        """
        if peer.exactly_once:
            return self.topics.committed(job.group, job.clicks, job.partitions)
        return self.topics.count(job.joined, job.partitions) or 0

    def watch(
        self, process: subprocess.Popen[bytes], job: Job, peer: Peer, patience: float, results: int
    ) -> list[Sample]:
        """Look at a peer until it has given so many results, or no more come.

        Args:
            patience: seconds that it has for its first result.

        Raises:
            PeerError: if it gives none, or ends.
        """
        sampler = Sampler(process.pid, self.broker_pid)
        samples = [sampler.sample(0)]
        deadline = time.monotonic() + patience
        while (peer.updates or samples[-1].records < results) and time.monotonic() < deadline:
            self.check_alive(process, job)
            begin = time.monotonic()
            samples.append(sampler.sample(self._joined(job, peer)))
            if samples[-1].records > samples[-2].records:
                deadline = begin + STALL
            time.sleep(max(0.0, begin + EVERY - time.monotonic()))
        if not samples[-1].records:
            raise PeerError(f"{job.group} gave no record in {samples[-1].at:.0f} s; its log: {self.log(job)}")
        return samples


def _now() -> int:
    return int(time.time() * 1000)
