"""The demo: Kafka, a worker and a producer as a user would start them, and a line that tells what goes through."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from confluent_kafka import KafkaException, TopicPartition

from streamapp.embedded_kafka import EmbeddedKafka
from streamapp.embedded_kafka.ports import free_port
from streamapp.embedded_kafka.program import Program
from streamapp.errors import StreamappError
from streamapp.joins import How
from streamapp.kafka.clients import reader
from streamapp.pipelines.clicks.settings import CLICKS, JOINED, UNMATCHED, ClickSettings
from streamapp.settings import DEAD_LETTERS, PREFIX, Settings, SettingsError
from streamapp.worker.host import check_port

__all__ = ["DemoError", "Report", "run_demo"]

#: What is produced: a bit of everything that a join has to cope with.
TRAFFIC: Final = ("--users", "1000", "--late-share", "0.02", "--bad-share", "0.01", "--unmatched-share", "0.05")
#: Clicks a second when no number of clicks is given.
RATE: Final = 500
#: How long nothing may go on.
STALLED_S: Final = 60.0
#: Results that are shown.
SAMPLE: Final = 3
#: The topics whose records are counted.
TOPICS: Final = (CLICKS, JOINED, UNMATCHED, DEAD_LETTERS)


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
    try:
        temporary = tempfile.TemporaryDirectory(prefix="streamapp-demo-")
    except OSError as exc:
        raise DemoError(f"no directory for temporary files can be written; TMPDIR names one: {exc.strerror}") from None
    async with contextlib.AsyncExitStack() as stack:
        directory = Path(stack.enter_context(temporary))
        broker = settings.broker
        if broker == Settings.broker:
            _say("starting Kafka …")
            broker = (await stack.enter_async_context(EmbeddedKafka(directory / "kafka"))).bootstrap
            _say(f"Kafka is ready at {broker}")
        port = settings.web_port
        try:
            check_port(settings.web_bind, port)
        except SettingsError:  # another worker may run on this machine
            port = free_port()
        settings = dataclasses.replace(settings, broker=broker, datadir=directory, web_port=port)
        return await _Demo(settings, clicks).run()


class _Demo:
    def __init__(self, settings: ClickSettings, clicks: int | None) -> None:
        self._settings = settings
        self._clicks = clicks
        self._offsets = reader(settings, "streamapp-demo", {"enable.partition.eof": False})
        self._before = self._ends()
        self._start = time.monotonic()

    async def run(self) -> Report:
        rate = ["--endless", "--rate", str(RATE)] if self._clicks is None else ["--clicks", str(self._clicks)]
        worker = ["-m", "faust", "-A", "streamapp", "worker", "-l", "info"]
        async with (
            self._process("worker", worker) as working,
            self._process("producer", ["-m", "streamapp", "produce", "-q", *TRAFFIC, *rate]) as producing,
        ):
            web = f"http://{self._settings.web_name}:{self._settings.web_port}"
            _say(f"web views at {web}/table/ {web}/health {web}/metrics")
            _say(f"another worker: {PREFIX}BROKER={self._settings.broker} {PREFIX}WEB_PORT=… faust -A streamapp worker")
            with contextlib.closing(self._offsets):
                return await self._watch({"worker": working, "producer": producing})

    async def _watch(self, programs: Mapping[str, Program]) -> Report:
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
            for name, program in programs.items():
                if program.status or (program.status == 0 and name == "worker"):
                    raise DemoError(f"the {name} ended with {program.status}: {self._tail(name)}")
            if self._clicks is not None and report.clicks >= self._clicks and report.pending <= 0:
                return report
            if time.monotonic() - changed > STALLED_S:
                raise DemoError(f"nothing went on for {STALLED_S:g} s: {self._tail('worker')}")
            await asyncio.sleep(0.5)

    def _report(self) -> Report:
        now = self._ends()
        clicks, joined, unmatched, rejected = (now[name] - self._before[name] for name in TOPICS)
        if self._settings.join is How.LEFT:  # a left join emits the unmatched ones as well
            joined -= unmatched
        seconds = time.monotonic() - self._start
        done = joined + unmatched + rejected
        return Report(clicks, joined, unmatched, 0, rejected, round(seconds, 2), round(done / seconds))

    def _ends(self) -> Counter[str]:
        """Count the records of each topic by its offsets."""
        known = self._offsets.list_topics(timeout=30).topics
        ends: Counter[str] = Counter()
        for name in TOPICS:
            topic = self._settings.topic(name)
            for partition in known[topic].partitions if topic in known else ():
                with contextlib.suppress(KafkaException):  # a partition that has no leader yet is empty
                    ends[name] += self._offsets.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1]
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
        settings = {
            f"{PREFIX}BROKER": self._settings.broker,
            f"{PREFIX}DATADIR": str(self._settings.datadir / "data"),
            f"{PREFIX}WEB_PORT": str(self._settings.web_port),
        }
        with self._log(name).open("wb") as log:
            command = [sys.executable, *arguments]
            program = await Program.start(command, output=log, environment={**os.environ, **settings})
        try:
            yield program
        finally:
            program.end()
            await program.wait()

    def _log(self, name: str) -> Path:
        return self._settings.datadir / f"{name}.log"

    def _tail(self, name: str) -> str:
        lines = self._log(name).read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def _say(line: str) -> None:
    print(line, flush=True)
