"""One run of a peer: started, watched from outside until its output is whole, stopped, and its output checked."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.check import Check, check
from benchmarks.peers import Job, Peer
from benchmarks.sampling import Figures, ProcessTree, Sample
from benchmarks.topics import Topics
from benchmarks.workload import Workload

__all__ = ["Bench", "PeerError", "Run"]

#: Seconds between two samples: a peer that needs two seconds for all still has a hundred of them.
EVERY: Final = 0.02
#: Seconds without a new record after which no more are waited for; some peers write in bursts.
STALL: Final = 15.0
#: Seconds until a peer must have given its first record, or has failed.
START: Final = 300.0
#: Seconds that a peer has to end after SIGTERM.
STOP: Final = 30.0


class PeerError(Exception):
    """A peer that gave no results; the text says where its log is."""


@dataclasses.dataclass(frozen=True)
class Run:
    """What came of one run of a peer."""

    peer: str
    workload: Workload
    figures: Figures
    check: Check


@dataclasses.dataclass
class Bench:
    """A broker, and a directory for the peers that are run on it.

    Args:
        topics: those of the broker.
        broker_pid: its process.
        directory: where peers keep their state and their logs; the logs stay.
    """

    topics: Topics
    broker_pid: int
    directory: Path
    runs: int = 0

    def run(self, peer: Peer, workload: Workload) -> Run:
        """Let a peer join the whole workload, from nothing.

        Raises:
            PeerError: if it gives no record, or ends.
        """
        job = self.job(peer, workload)
        try:
            with self.process(peer, job) as process:
                samples = self._watch(process, job, workload)
            output = self.topics.read(job.joined, workload.partitions)
            checked = check(workload, ((message.key(), message.value()) for message in output))
        finally:
            self.discard(job)
        return Run(peer.name, workload, Figures.of(samples), checked)

    def job(self, peer: Peer, workload: Workload) -> Job:
        """Make what a peer needs to join a workload from nothing: the topics and a directory."""
        prefix = self.topics.fill(workload)
        self.runs += 1
        group = f"{peer.name}-{os.getpid()}-{self.runs:04}"
        state = self.directory / "state" / group
        state.mkdir(parents=True)
        job = Job(self.topics.bootstrap, prefix, f"joined-{group}", group, state)
        self.topics.create(job.joined, workload.partitions)
        return job

    def discard(self, job: Job) -> None:
        """Delete what a peer has made: its topics and its directory."""
        self.topics.delete(job.group)
        shutil.rmtree(job.state, ignore_errors=True)

    @contextlib.contextmanager
    def process(self, peer: Peer, job: Job) -> Iterator[subprocess.Popen[bytes]]:
        """Start a peer's process; it is stopped at the end of the `with`, and so are its children."""
        with self.log(job).open("ab") as log:
            process = subprocess.Popen(
                peer.command(job),
                env=os.environ | peer.environment(job),
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
            try:
                process.wait(STOP)
            except subprocess.TimeoutExpired:
                print(f"  {peer.name} did not end within {STOP:.0f} s of SIGTERM and is killed")
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def log(self, job: Job) -> Path:
        """Give the log file of a peer."""
        path = self.directory / "logs" / f"{job.group}.log"
        path.parent.mkdir(exist_ok=True)
        return path

    def _watch(self, process: subprocess.Popen[bytes], job: Job, workload: Workload) -> list[Sample]:
        tree, broker = ProcessTree(process.pid), ProcessTree(self.broker_pid)
        start = time.monotonic()
        samples = [Sample(0.0, 0, 0.0, 0, broker.usage()[0])]
        grown = start + START - STALL
        while samples[-1].records < workload.clicks and time.monotonic() < grown + STALL:
            if process.poll() is not None:
                raise PeerError(f"{job.group} ended with {process.returncode}; its log: {self.log(job)}")
            records = self.topics.count(job.joined, workload.partitions) or 0
            now = time.monotonic()
            if records > samples[-1].records:
                grown = now
            samples.append(Sample(now - start, records, *tree.usage(), broker.usage()[0]))
            time.sleep(max(0.0, now + EVERY - time.monotonic()))
        if not samples[-1].records:
            raise PeerError(f"{job.group} gave no record within {START:.0f} s; its log: {self.log(job)}")
        return samples
