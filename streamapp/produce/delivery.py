"""Deliver all records of a source, until it ends, Ctrl-C or an error, and report what became of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, TypeVar

import msgspec

from streamapp.errors import ProduceError
from streamapp.kafka.producer import Producer
from streamapp.pipelines.clicks.settings import CLICKS, PROFILES
from streamapp.pipelines.clicks.traffic import BAD_CLICKS, Kind, Timeline, Traffic, generate
from streamapp.produce.event_times import EventTimes
from streamapp.produce.interrupt import Interrupt, Interrupted
from streamapp.produce.lines import JsonLines
from streamapp.produce.pacing import paced
from streamapp.produce.source import Source
from streamapp.produce.topics import ensure_topics, require_topic
from streamapp.settings import Settings

__all__ = ["Generated", "Options", "Report", "produce_generated", "produce_lines"]

T = TypeVar("T")

#: Seconds that the queue has to empty after Ctrl-C: more than a healthy broker needs, but not long to wait.
INTERRUPTED_FLUSH: Final = 10.0
#: Seconds beyond the timeout of the last record, after which librdkafka has reported all of them.
FLUSH_MARGIN: Final = 5.0


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to send.

    ``rate`` is records a second, 0 as fast as possible; ``timeout`` the seconds after which a record that is
    not acknowledged has failed; ``progress`` a bar on stderr, if that is a terminal.
    """

    rate: float = 0.0
    timeout: float = 30.0
    progress: bool = False


class Generated(msgspec.Struct, frozen=True, kw_only=True):
    """What the generated records were, of those that were sent.

    ``clicks`` are all on the clicks' topic; ``late``, ``bad`` and ``unmatched`` are parts of them without
    overlap.
    """

    profiles: int
    clicks: int
    late: int
    bad: int
    unmatched: int
    bad_by_kind: dict[Kind, int]

    @classmethod
    def count(cls, kinds: Counter[Kind]) -> Generated:
        """Sum up ``kinds``."""
        return cls(
            profiles=sum(number for kind, number in kinds.items() if kind.is_profile),
            clicks=sum(number for kind, number in kinds.items() if not kind.is_profile),
            late=kinds[Kind.LATE],
            bad=sum(kinds[kind] for kind in BAD_CLICKS),
            unmatched=kinds[Kind.UNMATCHED],
            bad_by_kind={kind: kinds[kind] for kind in BAD_CLICKS if kinds[kind]},
        )


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the records: ``sent`` is ``acknowledged`` + ``failed``.

    ``error`` is one line, and empty if all went well: why sending stopped early, or why the first record
    failed. ``note`` is what else there is to know; ``warning`` is, too: what becomes of the event times that were asked
    for, if that is a surprise.
    """

    sent: int
    acknowledged: int
    failed: int
    seconds: float
    generated: Generated | None
    note: str
    error: str
    warning: str = ""

    def __str__(self) -> str:
        rate = self.sent / self.seconds if self.seconds else 0
        line = (
            f"sent {self.sent:,}, acknowledged {self.acknowledged:,}, failed {self.failed:,} "
            f"in {self.seconds:.1f} s ({rate:,.0f}/s)"
        )
        if (made := self.generated) is None:
            return line
        return (
            f"{line}: {made.profiles:,} profiles, {made.clicks:,} clicks "
            f"({made.late:,} late, {made.bad:,} bad, {made.unmatched:,} unmatched)"
        )


def produce_generated(settings: Settings, traffic: Traffic, options: Options) -> Report:
    """Produce generated profiles and clicks to the app's topics, which are created if need be.

    With a rate the event times follow the wall clock; without, they are those of a backlog that ends now.

    Raises:
        ProduceError: if nothing could be sent.
    """
    topics = {kind: settings.topic(PROFILES if kind.is_profile else CLICKS) for kind in Kind}
    ensure_topics(settings, [settings.topic(PROFILES), settings.topic(CLICKS)], timeout=options.timeout)
    timeline = _timeline(traffic, options.rate)
    kinds: Counter[Kind] = Counter()
    with _session(settings, options, traffic.total) as session:
        for record in session.paced(generate(traffic, timeline)):
            if record.kind is not Kind.PROFILE and kinds.total() == kinds[Kind.PROFILE]:
                # The first profiles are there before the first click: sent together, a click could arrive sooner.
                session.acknowledge()
            session.send(topics[record.kind], record.key, record.value, record.timestamp)
            kinds[record.kind] += 1
    return session.report(Generated.count(kinds))


def produce_lines(
    settings: Settings,
    topic: str,
    file: BinaryIO | Source,
    lines: JsonLines,
    options: Options,
    *,
    create: bool = False,
) -> Report:
    """Produce one record for each line of ``file`` to ``topic`` (its full name).

    Args:
        create: create the topic if it does not exist.

    Raises:
        ProduceError: if nothing could be sent. A line that cannot be sent ends it with a report.
    """
    if create:
        ensure_topics(settings, [topic], timeout=options.timeout)
    else:
        require_topic(settings, topic, timeout=options.timeout)
    times = EventTimes(settings, topic)
    with _session(settings, options, total=None) as session:
        for line in session.paced(lines.read(session.reading(file), file.name)):
            if line.timestamp == 0:  # which librdkafka takes for none, and puts the time of sending there
                session.zeros += 1
            session.send(topic, line.key, line.value, line.timestamp if line.timestamp != 0 else 1)
            times.count(line.timestamp)
    return msgspec.structs.replace(session.report(), warning=times.warning)


def _timeline(traffic: Traffic, rate: float) -> Timeline:
    now = time.time_ns() // 1_000_000
    if rate:
        return Timeline.live(rate, now)
    if traffic.total is None:
        raise ProduceError("clicks without end need a rate (--rate)")
    return Timeline.backlog(traffic.total, now)


class _Session:
    """A producer with its pace and the user's Ctrl-C, and how it went."""

    def __init__(self, producer: Producer, interrupt: Interrupt, rate: float, timeout: float) -> None:
        self.send = producer.send
        self.error = ""
        #: Records whose event time is the very beginning of 1970.
        self.zeros = 0
        self._timeout = timeout
        self._producer = producer
        self._interrupt = interrupt
        self._rate = rate
        self._start = time.monotonic()

    def paced(self, records: Iterable[T]) -> Iterator[T]:
        """Give ``records`` at the rate that was asked for, serving the producer in the waits."""
        return paced(records, self._rate, self._producer.poll)

    def acknowledge(self) -> None:
        """Wait until all that was sent so far is acknowledged, or has failed."""
        self._producer.flush(self._timeout)

    def reading(self, file: BinaryIO | Source) -> Iterator[bytes]:
        """Give the lines of ``file``; Ctrl-C ends a wait for the next one."""
        while True:
            with self._interrupt.at_once():
                line = file.readline()
            if not line:
                return
            yield line

    def report(self, generated: Generated | None = None) -> Report:
        """Sum up; the counts are final once the session is over."""
        stats = self._producer.stats
        failure = f"{stats.failed:,} records failed, the first for {self._producer.error}" if stats.failed else ""
        return Report(
            sent=stats.sent,
            acknowledged=stats.acknowledged,
            failed=stats.failed,
            seconds=round(time.monotonic() - self._start, 3),
            generated=generated,
            note=f"the event time of {self.zeros:,} records is 0; they have 1 ms, since the client takes 0 for now"
            if self.zeros
            else "",
            error=self.error or failure,
        )


@contextmanager
def _session(settings: Settings, options: Options, total: int | None) -> Iterator[_Session]:
    """Send in it; it ends early, but in order and without raising, on Ctrl-C and on a `ProduceError`."""
    from tqdm import tqdm  # only for who produces: a worker, which imports all commands, would wait for it

    interrupt = Interrupt()
    # None: no bar either where stderr is not a terminal.
    hidden = None if options.progress else True
    with interrupt, tqdm(total=total, unit=" records", unit_scale=True, leave=False, disable=hidden) as bar:

        def look_around() -> None:
            bar.update(producer.stats.acknowledged - bar.n)
            interrupt.check()

        producer = Producer(settings, timeout=options.timeout, on_poll=look_around)
        deadline = options.timeout + FLUSH_MARGIN
        session = _Session(producer, interrupt, options.rate, deadline)
        try:
            yield session
        except Interrupted:
            deadline = INTERRUPTED_FLUSH
        except ProduceError as exc:
            session.error = str(exc)
        producer.flush(deadline)
