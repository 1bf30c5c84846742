"""How long streamapp takes to stop amid a load, and another worker to go on with its partitions."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from benchmarks.latency import WORKLOAD, produce_steadily
from benchmarks.peers import Job, Streamapp
from benchmarks.results import Takeover
from benchmarks.runner import PeerError, Runner
from benchmarks.workload import Workload

__all__ = ["PATIENCE", "Pair", "take_over", "two_workers", "wait_for"]

#: Clicks a second, and seconds of them before the worker is stopped; those that come later at most.
RATE: Final = 5_000
LEAD: Final = 5.0
MOST: Final = 120.0
#: Seconds for each step, and what a row of the table adds to that.
PATIENCE: Final = 60.0
PATIENCE_PER_USER: Final = 1e-4
#: Seconds between two looks at the logs.
EVERY: Final = 0.1
#: What a worker says when the tables of its partitions are restored, and when those of its standbys are.
READY: Final = re.compile(r"Ready: (\d+) table partitions, ([\d,]+) changelog records read")
STANDBY: Final = re.compile(r"Standby: (\d+) table partitions")
SENT_AT: Final = re.compile(rb'"sent_at":(\d+)')


def take_over(runner: Runner, streamapp: Streamapp, users: int) -> Takeover:
    """Start two workers with a table of so many rows, and stop one of them amid a load.

    Raises:
        PeerError: if a worker ends badly, or takes too long.
    """
    with two_workers(runner, streamapp, users) as pair:
        stop = _stop(runner, pair.workers[0], pair.jobs[0])
        over = pair.goes_on(PATIENCE)
        rows = int(READY.findall(runner.log(pair.jobs[1]).read_text())[-1][1].replace(",", ""))
    found = Takeover(streamapp.exactly_once, streamapp.standbys > 0, users, rows, stop, over)
    print(found, flush=True)
    return found


@dataclasses.dataclass
class Pair:
    """Two workers that share a table, amid a load.

    Args:
        job: of both.
        jobs: each worker's, with a directory of its own.
        workers: their processes.
        reader: of the joined records.
    """

    runner: Runner
    job: Job
    jobs: Sequence[Job]
    workers: list[subprocess.Popen[bytes]] = dataclasses.field(default_factory=list)
    reader: Consumer = dataclasses.field(init=False)

    def shared(self, standbys: int = 0) -> bool:
        """Return whether each worker that was started has its share of the partitions, and all standbys are in step."""
        started = self.jobs[: len(self.workers)]
        for worker, each in zip(self.workers, started, strict=True):
            self.runner.check_alive(worker, each)
        share = self.job.partitions // len(started)
        return all(_share(self.runner, each, standbys) == share for each in started)

    def starts(self, worker: int) -> int:
        """Return how often a worker has told that its tables are restored."""
        return len(READY.findall(self.runner.log(self.jobs[worker]).read_text()))

    def goes_on(self, patience: float) -> float:
        """Wait until each partition has a result of a click that was produced from now on; return the seconds."""
        ended, waiting = time.time_ns(), set(range(self.job.partitions))
        while waiting:
            for message in self.reader.consume(1_000, EVERY):
                sent = SENT_AT.search(message.value() or b"")
                if sent and int(sent[1]) > ended:
                    waiting.discard(message.partition())
            if time.time_ns() > ended + patience * 1e9:
                raise PeerError(f"nobody went on with partitions {sorted(waiting)} of {self.job.group}")
        return round((time.time_ns() - ended) / 1e9, 2)


@contextlib.contextmanager
def two_workers(runner: Runner, streamapp: Streamapp, users: int, seconds: float = MOST) -> Iterator[Pair]:
    """Have two workers share a table of so many rows, amid a load that lasts so many seconds."""
    patience = PATIENCE + PATIENCE_PER_USER * users
    with contextlib.ExitStack() as stack:
        job = stack.enter_context(runner.job(streamapp, Workload(users, clicks=0), linger_ms=0))
        jobs = [dataclasses.replace(job, state=job.state / f"{job.group}-{name}") for name in ("one", "two")]
        pair = Pair(runner, job, jobs)

        def start(each: Job) -> None:
            each.state.mkdir()
            pair.workers.append(stack.enter_context(runner.process(streamapp, each)))

        # The one that is to be stopped has all partitions at first: the other one would still have rows of those that
        # come back to it.
        start(jobs[0])
        wait_for(pair.shared, patience, f"the first worker of {job.group} has not started in time")
        start(jobs[1])
        wait_for(
            lambda: (
                pair.shared(streamapp.standbys)
                and runner.topics.committed(job.group, job.profiles, job.partitions) >= users
            ),
            patience,
            f"the workers of {job.group} have not shared their table in time",
        )
        stack.enter_context(_clicks(job, users, seconds))
        pair.reader = stack.enter_context(_reader(job))
        wait_for(lambda: pair.reader.consume(1, EVERY), patience, f"{job.group} joined nothing")
        time.sleep(LEAD)
        yield pair


def _share(runner: Runner, job: Job, standbys: int) -> int:
    """Give of how many partitions a worker has the tables, and those of its standbys, if it is to have some."""
    log = runner.log(job).read_text()
    *_, last = [None, *READY.finditer(log)]
    if last is None or (standbys and STANDBY.search(log, last.end()) is None):
        return 0
    return int(last[1])


@contextlib.contextmanager
def _clicks(job: Job, users: int, seconds: float) -> Iterator[None]:
    """Produce clicks steadily, in a process of its own."""
    load = multiprocessing.get_context("spawn").Process(
        target=produce_steadily, args=(job.broker, job.clicks, RATE, int(RATE * seconds), min(users, WORKLOAD.users))
    )
    load.start()
    try:
        yield
    finally:
        load.terminate()
        load.join()


@contextlib.contextmanager
def _reader(job: Job) -> Iterator[Consumer]:
    """Read the joined records from now on (read_committed)."""
    with Consumer(
        {
            "bootstrap.servers": job.broker,
            "log_level": 0,
            "group.id": "benchmark",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    ) as reader:
        reader.assign([TopicPartition(job.joined, number, OFFSET_END) for number in range(job.partitions)])
        yield reader


def _stop(runner: Runner, worker: subprocess.Popen[bytes], job: Job) -> float:
    begin = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    try:
        code = worker.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        code = None
    if code:
        raise PeerError(f"{job.group} ended with {code} when it was stopped; its log: {runner.log(job)}")
    return round(time.monotonic() - begin, 2)


def wait_for(condition: Callable[[], object], patience: float, otherwise: str) -> None:
    """Wait until something is so; a PeerError if it is not in so many seconds."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise PeerError(otherwise)
        time.sleep(EVERY)
