"""How long streamapp takes to stop amid a load, and another worker to go on with its partitions."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Final

from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from benchmarks.latency import produce_steadily
from benchmarks.peers import Job, Streamapp
from benchmarks.results import Takeover
from benchmarks.runner import PeerError, Runner
from benchmarks.workload import Workload

__all__ = ["take_over"]

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
    workload = Workload(users, clicks=0)
    patience = PATIENCE + PATIENCE_PER_USER * users
    with contextlib.ExitStack() as stack:
        job = stack.enter_context(runner.job(streamapp, workload, linger_ms=0))
        jobs = [dataclasses.replace(job, state=job.state / f"{job.group}-{name}") for name in ("one", "two")]
        workers: list[subprocess.Popen[bytes]] = []

        def start(each: Job) -> None:
            each.state.mkdir()
            workers.append(stack.enter_context(runner.process(streamapp, each)))

        def shared(standbys: int) -> bool:
            started = jobs[: len(workers)]
            for worker, each in zip(workers, started, strict=True):
                runner.check_alive(worker, each)
            return all(_share(runner, each, standbys) == job.partitions // len(started) for each in started)

        # The one that is to be stopped has all partitions at first: the other one would still have rows of those that
        # come back to it.
        start(jobs[0])
        _wait(lambda: shared(0), patience, f"the first worker of {job.group} has not started in time")
        start(jobs[1])
        _wait(
            lambda: (
                shared(streamapp.standbys) and runner.topics.committed(job.group, job.profiles, job.partitions) >= users
            ),
            patience,
            f"the workers of {job.group} have not shared their table in time",
        )
        stack.enter_context(_clicks(job))
        reader = stack.enter_context(_reader(job))
        _wait(lambda: reader.consume(1, EVERY), patience, f"{job.group} joined nothing")
        time.sleep(LEAD)
        stop = _stop(runner, workers[0], jobs[0])
        over = _goes_on(reader, job)
        rows = int(READY.findall(runner.log(jobs[1]).read_text())[-1][1].replace(",", ""))
    found = Takeover(streamapp.exactly_once, streamapp.standbys > 0, users, rows, stop, over)
    print(found, flush=True)
    return found


def _share(runner: Runner, job: Job, standbys: int) -> int:
    """Give of how many partitions a worker has the tables, and those of its standbys, if it is to have some."""
    log = runner.log(job).read_text()
    *_, last = [None, *READY.finditer(log)]
    if last is None or (standbys and STANDBY.search(log, last.end()) is None):
        return 0
    return int(last[1])


@contextlib.contextmanager
def _clicks(job: Job) -> Iterator[None]:
    """Produce clicks steadily, in a process of its own."""
    load = multiprocessing.get_context("spawn").Process(
        target=produce_steadily, args=(job.broker, job.clicks, RATE, int(RATE * MOST))
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


def _goes_on(reader: Consumer, job: Job) -> float:
    """Wait until each partition has a result of a click that was produced from now on."""
    ended, waiting = time.time_ns(), set(range(job.partitions))
    while waiting:
        for message in reader.consume(1_000, EVERY):
            sent = SENT_AT.search(message.value() or b"")
            if sent and int(sent[1]) > ended:
                waiting.discard(message.partition())
        if time.time_ns() > ended + PATIENCE * 1e9:
            raise PeerError(f"nobody went on with partitions {sorted(waiting)} of {job.group}")
    return round((time.time_ns() - ended) / 1e9, 2)


def _wait(condition: Callable[[], object], patience: float, otherwise: str) -> None:
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise PeerError(otherwise)
        time.sleep(EVERY)
