"""How long programs take to count transactions of IP addresses, and how many a second they can take."""

from __future__ import annotations

import dataclasses
import time
from typing import Final

from benchmarks.peers import Job
from benchmarks.percentiles import Percentiles
from benchmarks.risk_load import (
    ACCOUNTS,
    PROFILES,
    TRANSACTIONS,
    Covered,
    Reader,
    Told,
    of_each,
    of_minutes,
    producing,
    transactions,
)
from benchmarks.risk_peers import Counting
from benchmarks.risk_results import Counted, CountedRate
from benchmarks.runner import PeerError, Runner
from benchmarks.sampling import ProcessTree
from benchmarks.topics import producer
from benchmarks.workload import Workload

__all__ = ["PARTITIONS", "count"]

PARTITIONS: Final = 4
WORKLOAD: Final = Workload(users=0, clicks=0, partitions=PARTITIONS)
#: Transactions a second, and all at once.
RATES: Final = (2_000, 20_000)
#: Transactions after which a program is ready, and seconds until then.
FIRST: Final = 100
READY_S: Final = 120.0
#: Seconds of each rate that do not count: JVMs compile meanwhile.
LEAD_S: Final = 15.0
#: Seconds without a result after which no more come, and for which results may come behind the load.
PATIENCE_S: Final = 15.0
BEHIND_S: Final = 30.0


def count(runner: Runner, peer: Counting, seconds: float, backlog: int) -> Counted:
    """Let a program count transactions at each rate, and then as many as it can.

    Raises:
        PeerError: if it counts nothing.
    """
    prefix = f"risk-{peer.name}."
    topics, broker = runner.topics, runner.topics.bootstrap
    topics.create(f"{prefix}{TRANSACTIONS}", PARTITIONS, {"message.timestamp.type": "LogAppendTime"})
    if peer.told is Told.SCORES:
        topics.create(f"{prefix}{PROFILES}", PARTITIONS)
        _profiles(broker, prefix)
    try:
        with runner.job(peer, WORKLOAD, prefix=prefix, linger_ms=0) as job:
            if peer.results(job) != job.joined:
                topics.create(peer.results(job), PARTITIONS)
            with runner.process(peer, job) as process:
                reader = Reader(broker, peer.results(job), PARTITIONS)
                run = _Run(runner, job, reader, ProcessTree(process.pid))
                try:
                    run.begin()
                    for rate in RATES:
                        run.steadily(rate, seconds)
                    run.at_once(backlog)
                finally:
                    reader.close()
        return run.counted(peer.told)
    finally:
        topics.delete(prefix)


def _profiles(broker: str, prefix: str) -> None:
    """Give each account a profile."""
    client = producer(broker, linger_ms=5)
    for number in range(ACCOUNTS):
        value = f'{{"account":"a{number}","limit":100,"opened":0}}'
        client.produce(f"{prefix}{PROFILES}", value.encode(), f"a{number}".encode())
    client.flush()


@dataclasses.dataclass
class _Load:
    """A load, and what CPU it took: the numbers of its transactions that count, and when (ms) it began and ended."""

    numbers: range
    rate: int
    seconds: float
    cpu: float
    begin: float
    end: float


class _Run:
    def __init__(self, runner: Runner, job: Job, reader: Reader, tree: ProcessTree) -> None:
        self._topics, self._job = runner.topics, job
        self._reader, self._tree = reader, tree
        self._log = runner.log(job)
        self._topic = f"{job.prefix}{TRANSACTIONS}"
        self._sent = 0
        self._loads: list[_Load] = []
        self._peak = 0

    def begin(self) -> None:
        """Wait until the program counts."""
        self._load(0, FIRST, READY_S)
        if self._reader.covered < FIRST:
            raise PeerError(f"{self._job.group} has counted {self._reader.covered} of {FIRST}; its log: {self._log}")

    def steadily(self, rate: int, seconds: float) -> None:
        """Produce at a rate, of which the beginning does not count."""
        self._load(rate, int(rate * LEAD_S), PATIENCE_S)
        self._loads.append(self._load(rate, int(rate * seconds), BEHIND_S))

    def at_once(self, number: int) -> None:
        """Produce all at once."""
        self._loads.append(self._load(0, number, 4 * BEHIND_S))

    def _load(self, rate: int, number: int, behind: float) -> _Load:
        """Produce, and read until all is counted; for so many seconds (`behind`) more than the load lasts."""
        begun, reader = self._sent, self._reader
        process = producing(self._topics.bootstrap, self._topic, rate, begun, number)
        self._sent += number
        cpu, _ = self._tree.usage()
        begin = last = looked = time.monotonic()
        lasts = number / rate if rate else 0.0
        while reader.covered < self._sent:
            came, now = reader.read(0.1), time.monotonic()
            last = now if came else last
            if now - looked > 0.5:
                looked = now
                self._peak = max(self._peak, self._tree.usage()[1])
            if now - begin > lasts + behind or (now - begin > lasts and now - max(last, begin + lasts) > behind):
                break
        process.join()
        used, memory = self._tree.usage()
        self._peak = max(self._peak, memory)
        numbers = range(begun, self._sent)
        return _Load(numbers, rate, lasts, used - cpu, begin, time.monotonic())

    def counted(self, told: Told) -> Counted:
        """Sum up."""
        sent = transactions(self._topics.read(self._topic, PARTITIONS))
        covered = (of_minutes if told is Told.MINUTES else of_each)(sent, self._reader.results)
        *steady, backlog = self._loads
        first = min(one.appended for one in sent if one.number in backlog.numbers)
        read = max(result.read for result in self._reader.results)
        done = sum(number in covered.times for number in backlog.numbers)
        return Counted(
            rates=[_rate(load, covered) for load in steady],
            backlog=done,
            per_s=done / (read - first) * 1000,
            backlog_cpu_us=backlog.cpu / max(1, done) * 1e6,
            peak_mb=self._peak / 1e6,
            results=len(self._reader.results),
            wrong=covered.wrong,
        )


def _rate(load: _Load, covered: Covered) -> CountedRate:
    times = [covered.times[number] for number in load.numbers if number in covered.times]
    return CountedRate(
        rate=load.rate,
        seconds=load.seconds,
        times=Percentiles.of(times) if times else None,
        missing=len(load.numbers) - len(times),
        cpu_us=load.cpu / len(load.numbers) * 1e6,
    )
