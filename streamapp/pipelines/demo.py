"""The demo: Kafka, a worker and producers as a user would start them, and lines that tell what goes through."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp
import msgspec
from confluent_kafka import KafkaException, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from streamapp.embedded_kafka import EmbeddedKafka
from streamapp.embedded_kafka.ports import free_port
from streamapp.embedded_kafka.program import Program
from streamapp.errors import StreamappError
from streamapp.formats.undecodable import Undecodable
from streamapp.kafka.clients import reader
from streamapp.pipelines.demonstrated import Counts, Demonstrated, Measured
from streamapp.pipelines.settings import PIPELINES, AppSettings
from streamapp.settings import PREFIX, Settings, SettingsError
from streamapp.web.access import authorization
from streamapp.worker.host import check_port

__all__ = ["ALL", "DemoError", "Report", "run_demo", "sum_of"]

#: What all pipelines together are called.
ALL: Final = "all"
#: How long nothing may go on.
STALLED_S: Final = 60.0
#: Seconds between two looks, and that the worker may take to tell its metrics.
LOOK_INTERVAL_S: Final = 0.5
METRICS_TIMEOUT: Final = aiohttp.ClientTimeout(total=5.0)
#: Results that are shown.
SAMPLE: Final = 3
REJECTED: Final = "streamapp_records_rejected_total"


class DemoError(StreamappError):
    """The demo cannot go on; the text is one line that says why and where to look."""


class Report(NamedTuple):
    """How a pipeline stands after so many seconds."""

    pipeline: str
    counts: Counts
    seconds: float

    @property
    def per_s(self) -> int:
        """How many records a second were done."""
        return round((self.counts.records - self.counts.pending) / self.seconds)

    @property
    def line(self) -> str:
        """The line of JSON: ``records = results + late + rejected`` when all is done; alerts are results, too."""
        counts = self.counts
        told = {
            "pipeline": self.pipeline,
            "records": counts.records,
            "results": counts.results,
            "alerts": counts.alerts,
            "late": counts.late,
            "rejected": counts.rejected,
            "seconds": round(self.seconds, 2),
            "per_s": self.per_s,
        }
        return msgspec.json.encode(told | dict(counts.named)).decode()

    def __str__(self) -> str:
        counts = self.counts
        named = "".join(f"{name} {count:,}  " for name, count in counts.named.items() if name != self.pipeline)
        return (
            f"{self.pipeline}: produced {counts.records:,}  {named}results {counts.results:,}  "
            f"alerts {counts.alerts:,}  late {counts.late:,}  rejected {counts.rejected:,}  lag {counts.pending:,}  "
            f"{self.per_s:,}/s"
        )


def sum_of(reports: Sequence[Report]) -> Report:
    """Return the sum of those of several pipelines, which ran beside each other."""
    counts = [report.counts for report in reports]
    names = ("records", "results", "rejected", "alerts", "late")
    summed = {name: sum(getattr(one, name) for one in counts) for name in names}
    return Report(ALL, Counts(**summed), max(report.seconds for report in reports))


async def run_demo(settings: AppSettings, records: int | None) -> Sequence[Report]:
    """Run the pipelines until all records are accounted for, so many of each; without a number, until it is cancelled.

    Raises:
        DemoError: if the worker or a producer ends, or nothing goes on any more.
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
        return await _Demo(settings, records).run()


class _Demo:
    def __init__(self, settings: AppSettings, records: int | None) -> None:
        self._settings = settings
        self._records = records
        self._web = f"http://{settings.web_name}:{settings.web_port}"
        self._shown: Mapping[str, Demonstrated] = {
            name: importlib.import_module(PIPELINES[name].demo).demonstrated(settings) for name in settings.pipelines
        }
        self._topics = [topic for shown in self._shown.values() for topic in shown.topics]
        self._offsets = reader(settings, "streamapp-demo", {"enable.partition.eof": False})
        self._before = self._ends()
        self._start = time.monotonic()
        self._sampled: set[str] = set()

    async def run(self) -> Sequence[Report]:
        async with contextlib.AsyncExitStack() as stack:
            worker = ["-m", "faust", "-A", "streamapp", "worker", "-l", "info"]
            programs = {"worker": await stack.enter_async_context(self._process("worker", worker))}
            for name, shown in self._shown.items():
                rate = ["--endless", "--rate", str(shown.rate)]
                number = rate if self._records is None else [shown.number, str(self._records)]
                produce = ["-m", "streamapp", "produce", "-q", "--pipeline", name, *shown.traffic, *number]
                producer = f"producer of {name}"
                programs[producer] = await stack.enter_async_context(self._process(producer, produce))
            _say(f"web views at {self._web}/table/ {self._web}/health {self._web}/metrics")
            _say(f"another worker: {PREFIX}BROKER={self._settings.broker} {PREFIX}WEB_PORT=… faust -A streamapp worker")
            stack.enter_context(contextlib.closing(self._offsets))
            headers = authorization(self._settings.web_token)
            async with aiohttp.ClientSession(headers=headers, timeout=METRICS_TIMEOUT) as session:
                return await self._watch(programs, session)

    async def _watch(self, programs: Mapping[str, Program], session: aiohttp.ClientSession) -> Sequence[Report]:
        before: list[tuple[int, int]] = []
        changed = time.monotonic()
        while True:
            reports = await self._reports(session)
            now = [(report.counts.records, report.counts.pending) for report in reports]
            if now != before:
                before, changed = now, time.monotonic()
            for report in reports:
                _say(str(report))
                await self._show(report)
            for name, program in programs.items():
                if program.status or (program.status == 0 and name == "worker"):
                    raise DemoError(f"the {name} ended with {program.status}: {self._tail(name)}")
            if self._records is not None and all(
                report.counts.records >= self._records and report.counts.pending <= 0 for report in reports
            ):
                return await self._settled(reports, session)
            if time.monotonic() - changed > STALLED_S:
                raise DemoError(f"nothing went on for {STALLED_S:g} s: {self._tail('worker')}")
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def _settled(self, reports: Sequence[Report], session: aiohttp.ClientSession) -> Sequence[Report]:
        """Return the reports with all alerts, which are sent beside the results; they do not count for the time."""
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            looked = zip(await self._reports(session), reports, strict=True)
            later = [report._replace(seconds=done.seconds) for report, done in looked]
            if later == reports:
                return reports
            reports = later

    async def _reports(self, session: aiohttp.ClientSession) -> Sequence[Report]:
        topics = await asyncio.to_thread(self._ends)
        topics.subtract(self._before)
        rejected, metrics = await self._metrics(session)
        seconds = time.monotonic() - self._start
        return [
            Report(name, shown.counts(Measured(topics, rejected[shown.topics[0]], metrics)), seconds)
            for name, shown in self._shown.items()
        ]

    async def _metrics(self, session: aiohttp.ClientSession) -> tuple[Counter[str], Counter[str]]:
        """Return how many records were rejected, by topic, and the worker's metrics; none while it does not answer."""
        rejected, metrics = Counter[str](), Counter[str]()
        try:
            async with session.get(f"{self._web}/metrics") as response:
                text = await response.text() if response.status == 200 else ""
        except (aiohttp.ClientError, OSError, TimeoutError):
            text = ""
        for sample in (sample for family in text_string_to_metric_families(text) for sample in family.samples):
            metrics[sample.name] += sample.value  # type: ignore[assignment]  # of a gauge, too
            if sample.name == REJECTED:
                rejected[sample.labels["topic"].removeprefix(self._settings.topic_prefix)] += int(sample.value)
        return rejected, metrics

    def _ends(self) -> Counter[str]:
        """Count the records of each topic by its offsets."""
        known = self._offsets.list_topics(timeout=30).topics
        ends: Counter[str] = Counter(dict.fromkeys(self._topics, 0))
        for name in self._topics:
            topic = self._settings.topic(name)
            for partition in known[topic].partitions if topic in known else ():
                with contextlib.suppress(KafkaException):  # a partition that has no leader yet is empty
                    ends[name] += self._offsets.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1]
        return ends

    async def _show(self, report: Report) -> None:
        """Show some results of a pipeline, once there are some."""
        if report.counts.results >= SAMPLE and report.pipeline not in self._sampled:
            self._sampled.add(report.pipeline)
            for value in await asyncio.to_thread(self._sample, self._shown[report.pipeline]):
                _say(f"  {value}")

    def _sample(self, shown: Demonstrated) -> Sequence[str]:
        topic = self._settings.topic(shown.sample)
        partitions = self._offsets.list_topics(topic, timeout=30).topics[topic].partitions
        self._offsets.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        messages = self._offsets.consume(SAMPLE, timeout=10)
        self._offsets.unassign()
        values = [message.value() or b"" for message in messages]
        return [_shown(shown, value) for value in values]

    @contextlib.asynccontextmanager
    async def _process(self, name: str, arguments: Sequence[str]) -> AsyncIterator[Program]:
        """Run a program that ends with us, even if we are killed."""
        settings = {
            f"{PREFIX}BROKER": self._settings.broker,
            f"{PREFIX}DATADIR": str(self._settings.datadir / "data"),
            f"{PREFIX}WEB_PORT": str(self._settings.web_port),
            f"{PREFIX}PIPELINES": ",".join(self._settings.pipelines),
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
        return self._settings.datadir / f"{name.replace(' ', '-')}.log"

    def _tail(self, name: str) -> str:
        lines = self._log(name).read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def _shown(demonstrated: Demonstrated, value: bytes) -> str:
    """Return a value as people read it; one that is of a registry's schema is shown as it is."""
    if demonstrated.shown is not None:
        with contextlib.suppress(Undecodable):
            value = demonstrated.shown(value)
    return value.decode(errors="backslashreplace")


def _say(line: str) -> None:
    print(line, flush=True)
