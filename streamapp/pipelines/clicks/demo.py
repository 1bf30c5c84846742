"""The demo: Kafka, a worker and a producer as a user would start them, and a line that tells what goes through."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition

from streamapp.embedded_kafka import EmbeddedKafka
from streamapp.embedded_kafka.ports import free_port
from streamapp.embedded_kafka.program import Program
from streamapp.errors import StreamappError
from streamapp.joins import How
from streamapp.pipelines.clicks.settings import CLICKS, JOINED, UNMATCHED, ClickSettings
from streamapp.settings import DEAD_LETTERS, PREFIX, Settings, SettingsError
from streamapp.worker.host import check_port

__all__ = ["DemoError", "Report", "run_demo"]

#: What is produced: a bit of everything that a join has to cope with.
TRAFFIC: Final = ("--users", "1000", "--late-share", "0.02", "--bad-share", "0.01", "--unmatched-share", "0.05")
#: Clicks a second when no number of clicks is given.
RATE: Final = 500
#: Seconds without any progress after which the demo gives up.
PATIENCE: Final = 60.0
SAMPLE: Final = 3


class DemoError(StreamappError):
    """The demo cannot go on; the text is one line that says why and where to look."""


class Report(msgspec.Struct, frozen=True):
    """How it went: ``clicks = joined + unmatched + late + rejected`` when all is done."""

    clicks: int
    joined: int
    unmatched: int
    #: Always 0: this join has no grace, so no click is too late for it.
    late: int
    rejected: int
    seconds: float
    per_s: int

    @property
    def pending(self) -> int:
        """Clicks of which nothing is known yet."""
        return self.clicks - self.joined - self.unmatched - self.late - self.rejected

    def __str__(self) -> str:
        return (
            f"produced {self.clicks:,}  joined {self.joined:,}  unmatched {self.unmatched:,}  late {self.late:,}  "
            f"rejected {self.rejected:,}  lag {self.pending:,}  {self.per_s:,}/s"
        )


async def run_demo(settings: ClickSettings, clicks: int | None) -> Report:
    """Run until all clicks are accounted for; without a number, until it is cancelled.

    Raises:
        DemoError: if the worker or the producer ends, or nothing goes on any more.
        BrokerError: if Kafka cannot be started.
    """
    with _directory() as directory:
        async with _broker(settings, Path(directory)) as bootstrap:
            settings = dataclasses.replace(
                settings, broker=bootstrap, datadir=Path(directory), web_port=_port(settings)
            )
            return await _Demo(settings, Path(directory), clicks).run()


def _directory() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="streamapp-demo-")
    except OSError as exc:
        raise DemoError(f"no directory for temporary files can be written; TMPDIR names one: {exc.strerror}") from None


@contextlib.asynccontextmanager
async def _broker(settings: ClickSettings, directory: Path) -> AsyncIterator[str]:
    if settings.broker != Settings.broker:
        yield settings.broker
        return
    _say("starting Kafka …")
    async with EmbeddedKafka(directory / "kafka") as kafka:
        _say(f"Kafka is ready at {kafka.bootstrap}")
        yield kafka.bootstrap


class _Demo:
    def __init__(self, settings: ClickSettings, directory: Path, clicks: int | None) -> None:
        self._settings = settings
        self._directory = directory
        self._clicks = clicks
        self._offsets = Consumer({**settings.librdkafka(), "group.id": "streamapp-demo", "enable.auto.commit": False})
        self._before = self._ends()
        self._start = time.monotonic()

    async def run(self) -> Report:
        rate = ["--endless", "--rate", str(RATE)] if self._clicks is None else ["--clicks", str(self._clicks)]
        worker = ["-m", "faust", "-A", "streamapp", "worker", "-l", "info"]
        async with (
            self._process("worker", worker) as working,
            self._process("producer", ["-m", "streamapp", "-q", "produce", *TRAFFIC, *rate]) as producing,
        ):
            web = f"http://{self._settings.web_name}:{self._settings.web_port}"
            _say(f"web views at {web}/table/ {web}/health {web}/metrics")
            _say(f"another worker: {PREFIX}BROKER={self._settings.broker} {PREFIX}WEB_PORT=… faust -A streamapp worker")
            try:
                report = await self._watch(working, producing)
            finally:
                self._offsets.close()
        return report

    async def _watch(self, working: Program, producing: Program) -> Report:
        report, changed, sampled = self._report(), time.monotonic(), False
        while True:
            before, report = report, await asyncio.to_thread(self._report)
            if (before.clicks, before.pending) != (report.clicks, report.pending):
                changed = time.monotonic()
            _say(str(report))
            if not sampled and report.joined >= SAMPLE:
                sampled = True
                for value in await asyncio.to_thread(self._sample):
                    _say(f"  {value}")
            if working.status is not None:
                raise DemoError(f"the worker ended with {working.status}: {self._tail('worker')}")
            if producing.status:
                raise DemoError(f"the producer ended with {producing.status}: {self._tail('producer')}")
            if self._clicks is not None and report.clicks >= self._clicks and report.pending <= 0:
                return report
            if time.monotonic() - changed > PATIENCE:
                raise DemoError(f"nothing went on for {PATIENCE:g} s: {self._tail('worker')}")
            await asyncio.sleep(0.5)

    def _report(self) -> Report:
        now = self._ends()
        clicks, joined, unmatched, rejected = (
            now.get(name, 0) - self._before.get(name, 0) for name in (CLICKS, JOINED, UNMATCHED, DEAD_LETTERS)
        )
        if self._settings.join is How.LEFT:  # a left join emits the unmatched ones as well
            joined -= unmatched
        seconds = time.monotonic() - self._start
        done = joined + unmatched + rejected
        return Report(clicks, joined, unmatched, 0, rejected, round(seconds, 2), round(done / seconds))

    def _ends(self) -> Mapping[str, int]:
        """Count the records of each topic by its offsets."""
        known = self._offsets.list_topics(timeout=30).topics
        ends = {}
        for name in (CLICKS, JOINED, UNMATCHED, DEAD_LETTERS):
            topic = self._settings.topic(name)
            if topic in known:
                with contextlib.suppress(KafkaException):  # a partition that has no leader yet is empty
                    ends[name] = sum(
                        self._offsets.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1]
                        for partition in known[topic].partitions
                    )
        return ends

    def _sample(self) -> Sequence[str]:
        topic = self._settings.topic(JOINED)
        partitions = self._offsets.list_topics(topic, timeout=30).topics[topic].partitions
        self._offsets.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        messages = self._offsets.consume(SAMPLE, timeout=10)
        self._offsets.unassign()
        return [(message.value() or b"").decode() for message in messages]

    @contextlib.asynccontextmanager
    async def _process(self, name: str, arguments: Sequence[str]) -> AsyncIterator[Program]:
        """Run a program that ends with us, even if we are killed."""
        with (self._directory / f"{name}.log").open("wb") as log:
            program = await Program.start([sys.executable, *arguments], output=log, environment=self._environment())
        try:
            yield program
        finally:
            program.end()
            await program.wait()

    def _environment(self) -> dict[str, str]:
        changed = {"BROKER": self._settings.broker, "DATADIR": str(self._directory / "data")}
        changed["WEB_PORT"] = str(self._settings.web_port)
        return {**os.environ, **{PREFIX + name: value for name, value in changed.items()}}

    def _tail(self, name: str) -> str:
        lines = (self._directory / f"{name}.log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def _port(settings: ClickSettings) -> int:
    """Give the port that was set if it is free, else any free one: another worker may run on this machine."""
    try:
        check_port(settings.web_bind, settings.web_port)
    except SettingsError:
        return free_port()
    return settings.web_port


def _say(line: str) -> None:
    print(line, flush=True)


def stop_on_signals(task: asyncio.Task[Report]) -> None:
    """Cancel the demo on Ctrl-C and SIGTERM, so that all it started is stopped in order."""
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
