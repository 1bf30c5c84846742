"""Deliver all records of a source, until it ends, Ctrl-C or an error, and report what became of them."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import truediv
from types import MappingProxyType
from typing import Final

import msgspec

from streamapp.errors import ProduceError
from streamapp.formats.format import Headers
from streamapp.formats.serde import Serde
from streamapp.formats.undecodable import Undecodable
from streamapp.kafka.admin import Cluster
from streamapp.kafka.producer import Producer
from streamapp.produce.event_times import EventTimes
from streamapp.produce.interrupt import Interrupt, Interrupted, listening
from streamapp.produce.lines import JsonLines
from streamapp.produce.pacing import paced
from streamapp.produce.source import lines_of
from streamapp.produce.traffic import Bursting, Traffic
from streamapp.settings import Settings

__all__ = ["Options", "Report", "produce_lines", "produce_traffic"]

#: How long the queue has to empty after Ctrl-C: more than a healthy broker needs, but not long to wait.
INTERRUPTED_FLUSH_S: Final = 10.0
#: Beyond the timeout of the last record, after which librdkafka has reported all of them.
FLUSH_MARGIN_S: Final = 5.0
NO_SERDES: Final[Mapping[str, Serde]] = MappingProxyType({})


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to send: `rate` records a second (0 = all it can); `timeout` seconds after which a record has failed.

    `progress` is a bar on stderr, if that is a terminal.
    """

    rate: float = 0.0
    timeout: float = 30.0
    progress: bool = False


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the records: `sent` is `acknowledged` + `failed`.

    `generated` is what the traffic says of them. `error` is one line, and empty if all went well: why sending stopped
    early, or why the first record failed. `note` and `warning` are what else there is to know, of event times.
    """

    sent: int
    acknowledged: int
    failed: int
    seconds: float
    generated: msgspec.Struct | None = None
    note: str = ""
    error: str = ""
    warning: str = ""

    def __str__(self) -> str:
        rate = self.sent / self.seconds if self.seconds else 0
        line = f"sent {self.sent:,}, acknowledged {self.acknowledged:,}, failed {self.failed:,}"
        line += f" in {self.seconds:.1f} s ({rate:,.0f}/s)"
        return f"{line}: {self.generated}" if self.generated else line


def produce_traffic(
    settings: Settings, traffic: Traffic, options: Options, serdes: Mapping[str, Serde] = NO_SERDES
) -> Report:
    """Produce generated records to their topics, made if need be; a StreamappError if nothing could be sent.

    `serdes` have what the records of a topic, named without the prefix, are written as; without one as JSON. What is
    generated to be unusable goes as it is.
    """
    topics = {name: settings.topic(name) for name in traffic.topics}
    records = traffic.records(options.rate, time.time_ns() // 1_000_000)
    Cluster(settings, timeout=options.timeout).ensure([*topics.values()])
    kinds: Counter[str] = Counter()
    begun = set(traffic.topics[:1])
    with _session(settings, options, traffic.total) as session:
        due = traffic.due if isinstance(traffic, Bursting) else truediv
        for record in paced(records, options.rate, session.producer.poll, due=due):
            if record.topic not in begun:
                # What comes first is there before the first record of the next topic, which could arrive sooner.
                session.producer.flush(session.deadline)
                begun.add(record.topic)
            key, value, headers = _written(serdes.get(record.topic), record.key, record.value)
            session.producer.send(topics[record.topic], key, value, record.timestamp, headers)
            kinds[record.kind] += 1
    return msgspec.structs.replace(session.report, generated=traffic.summary(kinds))


def _written(serde: Serde | None, key: bytes | None, value: bytes | None) -> tuple[bytes | None, bytes | None, Headers]:
    if serde is not None:
        with contextlib.suppress(Undecodable, msgspec.DecodeError):  # a bad record stays as it is
            return serde.write(key, value)
    return key, value, ()


def produce_lines(
    settings: Settings, topic: str, file: io.BufferedReader, lines: JsonLines, options: Options, *, create: bool = False
) -> Report:
    """Produce one record for each line of `file` to `topic` (its full name), which is created only with `create`.

    Raises:
        StreamappError: if nothing could be sent. A line that cannot be sent ends it with a report.
    """
    cluster = Cluster(settings, timeout=options.timeout)
    if create:
        cluster.ensure([topic])
    elif topic not in cluster.listed([topic]):
        raise ProduceError(
            f"there is no topic {topic} at {settings.broker}: start the worker, which creates its own topics, or pass "
            "--create"
        )
    times, zeros = EventTimes(settings, topic), 0
    with _session(settings, options) as session:
        texts = iter(file) if lines.raw else lines_of(file, file.name)
        records = lines.read(session.interruptible(texts), file.name)
        for line in paced(records, options.rate, session.producer.poll):
            zeros += line.timestamp == 0  # which librdkafka takes for none, and puts the time of sending there
            at = 1 if line.timestamp == 0 else line.timestamp
            session.producer.send(topic, line.key, line.value, at, line.headers)
            times.count(line.timestamp)
    note = f"the event time of {zeros:,} records is 0; they have 1 ms, since the client takes 0 for now"
    return msgspec.structs.replace(session.report, note=note if zeros else "", warning=times.warning)


@dataclasses.dataclass
class _Session:
    """A producer with the user's Ctrl-C, and how it went."""

    producer: Producer
    interrupt: Interrupt
    #: Seconds that what is sent has to be acknowledged.
    deadline: float
    error: str = ""
    start: float = dataclasses.field(default_factory=time.monotonic)

    def interruptible(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the lines; Ctrl-C ends a wait for the next one."""
        while True:
            with self.interrupt.at_once():
                line = next(lines, b"")
            if not line:
                return
            yield line

    @property
    def report(self) -> Report:
        """The counts, which are final once the session is over."""
        stats, seconds = self.producer.stats, round(time.monotonic() - self.start, 3)
        failure = f"{stats.failed:,} records failed, the first for {self.producer.error}" if stats.failed else ""
        return Report(**msgspec.structs.asdict(stats), seconds=seconds, error=self.error or failure)


@contextmanager
def _session(settings: Settings, options: Options, total: int | None = None) -> Iterator[_Session]:
    """Send in it; it ends early, but in order and without raising, on Ctrl-C and on a `ProduceError`."""
    from tqdm import tqdm  # only for who produces

    hidden = None if options.progress else True  # None: no bar either where stderr is not a terminal
    bar = tqdm(total=total, unit=" records", unit_scale=True, leave=False, disable=hidden)
    with listening() as interrupt, bar:

        def look_around() -> None:
            bar.update(producer.stats.acknowledged - bar.n)
            interrupt.check()

        producer = Producer(settings, timeout=options.timeout, on_poll=look_around)
        session = _Session(producer, interrupt, options.timeout + FLUSH_MARGIN_S)
        try:
            yield session
        except Interrupted:
            session.deadline = INTERRUPTED_FLUSH_S
        except ProduceError as exc:
            session.error = str(exc)
        producer.flush(session.deadline)
