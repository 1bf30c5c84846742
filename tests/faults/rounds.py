"""A round: a fault amid a workload, and what came of it."""

from __future__ import annotations

import dataclasses
import datetime
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from types import MappingProxyType

from broker import Broker
from click_workload import Clicks
from clock import Clock
from faults import Fault, clock_jumps
from risk_workload import Risk, RiskAtOnce
from sensor_workload import Sensors
from system import System, Unsettled
from topics import Topics
from verification import Findings
from workers import Workers
from workload import Workload

__all__ = ["WORKLOADS", "Outcome", "Round"]

#: By pipeline.
WORKLOADS: Mapping[str, type[Workload]] = MappingProxyType(
    {each.pipeline: each for each in (Clicks, Risk, RiskAtOnce, Sensors)}
)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a round."""

    fault: str
    guarantee: str
    seed: int
    #: Where the tables were.
    store: str
    #: When it ended (UTC), and how long it took.
    date: str
    seconds: float
    #: Input records.
    records: int
    findings: Findings
    #: Exit codes of workers that ended by themselves, or not as they should when they were stopped.
    crashes: tuple[int, ...] = ()
    #: Why the workers did not come to the end of the input, if they did not.
    unsettled: str = ""
    pipeline: str = Clicks.pipeline

    @property
    def passed(self) -> bool:
        return not self.unsettled and self.findings.keeps(self.guarantee)


@dataclasses.dataclass(frozen=True)
class Round:
    """A fault with a seed, by which it and the workload choose; the timing of the processes is never the same.

    Args:
        fault: one of `FAULTS`, or another.
        seed: of all that is random.
        guarantee: of the workers.
        pipeline: whose workload it meets.
        stores: of which the seed chooses one.
        records: how many are produced in each slice of the workload, of its main input; None = as many as are usual.
        slices: how many there are at least, five a second; while the fault lasts there are more.
    """

    fault: Fault
    seed: int
    guarantee: str
    pipeline: str = Clicks.pipeline
    stores: Sequence[str] = ("rocksdb://", "memory://")
    records: int | None = None
    slices: int = 25

    def play(self, broker: Broker, directory: Path) -> Outcome:
        """Start two workers, produce, inject, wait until all is committed, stop, and compare with the model."""
        chance, begun = Random(f"{self.fault.__name__} {self.seed}"), time.monotonic()
        topics = Topics(broker.bootstrap, f"faults-{self.seed}", WORKLOADS[self.pipeline].partitions)
        directory.mkdir(parents=True)
        clock = Clock(directory / "clock")
        store = chance.choice(self.stores)
        standbys = 0 if store.startswith("redis") else chance.randrange(2)
        workload = WORKLOADS[self.pipeline](topics, Random(chance.random()), self.records)
        topics.create(*workload.inputs, *workload.outputs)
        settings = {
            **topics.settings,
            **workload.settings(directory),
            "max_ahead": -1,  # event times are made up: in a long round they run ahead of the wall clock
            "broker": broker.wired,
            "processing_guarantee": self.guarantee,
            "store": store,
            "standbys": standbys,
        }
        environment = clock.environment if self.fault is clock_jumps else {}
        unsettled = ""
        with Workers(workload.app, directory, settings, environment) as workers:
            try:
                self._run(System(broker, topics, workers, workload, clock), chance)
            except (Unsettled, AssertionError) as exc:  # the latter from `wait_until`: the worker is never ready
                unsettled = str(exc)
            else:
                workers.stop_all()
        return Outcome(
            self.fault.__name__,
            self.guarantee,
            self.seed,
            store.partition(":")[0],
            f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M}",
            round(time.monotonic() - begun, 1),
            workload.sent.total(),
            workload.verify(),
            tuple(workers.crashes),
            unsettled,
            self.pipeline,
        )

    def _run(self, system: System, chance: Random) -> None:
        system.workload.begin()
        for name in ("one", "two"):
            system.workers.start(name)
        system.workers.wait_ready()
        enough = threading.Event()
        with ThreadPoolExecutor(1) as thread:
            producing = thread.submit(system.workload.produce, self.slices, enough)
            try:
                self.fault(system, chance)
            finally:
                enough.set()
            producing.result()
        system.workload.finish()
        system.settle()
        system.workers.wait_ready()
