"""Where the results of a batch go: the topics that agents send to, and the dead letters for records of no use."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

import msgspec
from faust.types import TP

from streamapp.formats.content import headers_of_result, tells_format
from streamapp.formats.format import FormatDeclaration
from streamapp.formats.keys import Keys
from streamapp.formats.registered import placed_alike
from streamapp.formats.serde import Serde, came
from streamapp.formats.undecodable import Reason, Undecodable
from streamapp.joins.corrections import AGENT, JOIN
from streamapp.joins.records import Record
from streamapp.kafka.record import Envelope, Headers, Result, Stamped
from streamapp.kafka.refusals import Cause, RecordRefusedError, RefusedError
from streamapp.rate_limit import RateLimit
from streamapp.runtime.batch import Batch
from streamapp.runtime.histogram import Latency
from streamapp.runtime.samples import Made, Sample, Samples
from streamapp.runtime.watch import Watch
from streamapp.runtime.work import Origin, Rejected, Results

__all__ = ["REJECTED_LOG_INTERVAL_S", "DeadLetters", "Output", "OutputApp"]

logger = logging.getLogger(__name__)

#: Seconds between two log lines for the same topic and reason: a flood of bad records must not flood the log.
REJECTED_LOG_INTERVAL_S: Final = 10.0
#: How many results of each topic are kept for who looks.
NEWEST_RESULTS: Final = 5
#: Bytes of an error that are kept in a dead letter which is too large without its value, too.
ERROR_MAX_BYTES: Final = 1_000
#: How many headers are a dead letter's own, before all others.
OWN_HEADERS: Final = 5


class OutputApp(Protocol):
    """The app, as far as its outputs know it."""

    @property
    def dead_letters(self) -> DeadLetters:
        """Where records go whose results the broker refuses."""

    @property
    def watch(self) -> Watch:
        """Counts records that are rejected or unmatched."""


class Output:
    """A topic that results are sent to."""

    def __init__(self, app: OutputApp, topic: str) -> None:
        self._app = app
        #: From the event times of results until the broker has acknowledged them.
        self.latency = Latency()
        self.topic = topic
        #: What its values and keys are written as; None = JSON, and text for keys.
        self.serde: Serde | None = None
        #: Makes of a key and of a value as they are written text and JSON, for who looks at them, where the agents
        #: that send them have written them as something else; raises `Undecodable`. None = the serde does.
        self.key_shown: Callable[[bytes], bytes] | None = None
        self.value_shown: Callable[[bytes], bytes] | None = None
        #: The name of the format in which results are made already; empty = that of the records that they are made of.
        self.made_as = ""
        #: Formats of keys by topic: where they are not those of the input, keys have other partitions here.
        self.key_formats: Mapping[str, FormatDeclaration] = {}
        #: Records that the broker has acknowledged, in all and by the topic whose batches gave them.
        self.sent = 0
        self.sources: Counter[str] = Counter()
        #: Some of them, the newest last.
        self.newest: deque[Made] = deque(maxlen=NEWEST_RESULTS)

    def send(
        self, batch: Batch, results: Sequence[Result], *, rekeyed: bool = False, origin: Origin | None = None
    ) -> None:
        """Send results, in this order, once the agent is done with the batch.

        Keys are text and values JSON, and are written in the formats of the topic; of a result for which a schema has
        no place, the record that gave it goes to the dead letters. The batch is committed after the broker has them. A
        result that the broker refuses, for instance for its size (the topic's ``max.message.bytes``), is not lost: the
        record that gave it goes to the dead letters.

        Args:
            results: each a record, whose key, event time and headers it gets, and a value.
            rekeyed: some have another key than their batch's records have, and are sent to the partitions of their
                keys. Otherwise, with as many partitions here as there, no key has to be hashed.
            origin: finds the record that gave a result; default: it is the one that the result is sent with, or the
                envelope's source.
        """
        if results:
            keys = self.key_formats
            rekeyed = rekeyed or not placed_alike(keys.get(self.topic), keys.get(batch.topic))
            made = Results(self, results, batch.tp, rekeyed, origin)
            if self.serde is not None:
                made.results = self._written(self.serde, batch, made)
            elif self.made_as and batch.headed:
                made.results = self._telling(self.made_as, results)
            batch.work.results.append(made)

    def send_as_they_came(self, batch: Batch, results: Sequence[Result], origin: Origin | None = None) -> None:
        """Send records that are not what they should be, with the bytes that they have, as `send` does."""
        if results:
            batch.work.results.append(Results(self, results, batch.tp, origin=origin))

    def _written(self, serde: Serde, batch: Batch, results: Results) -> list[Result]:
        """Return results in the formats of the topic; those that cannot be are rejected."""
        written: list[Result] = []
        for stamped, value in results.results:
            try:
                key, encoded, headers = serde.write(stamped.key, value)
            except Undecodable as exc:
                source, record = results.origin_of(stamped)
                if record is None:
                    record = _Made(stamped.key, value, stamped.timestamp or 0)
                batch.work.rejected.append(
                    Rejected(source, record, Reason.NOT_OF_SCHEMA, f"{self.topic} has no place for the result: {exc}")
                )
                continue
            if key != stamped.key or headers or any(tells_format(name) for name, _ in stamped.headers):
                own = headers_of_result(stamped.headers, serde.value.name, key=serde.key is not None)
                stamped = _stamped(stamped, key, [*own, *headers])
            written.append((stamped, encoded))
        return written

    def _telling(self, format_: str, results: Sequence[Result]) -> Sequence[Result]:
        """Return results that are in a format, with headers that say so."""
        if not any(tells_format(name) for stamped, _ in results for name, _ in stamped.headers):
            return results
        return [
            (_stamped(stamped, stamped.key, headers_of_result(stamped.headers, format_)), value)
            if stamped.headers
            else (stamped, value)
            for stamped, value in results
        ]

    def send_to(self, partition: int, batch: Batch, results: Sequence[Result]) -> None:
        """Send results to a partition, whatever their keys, as `send` does."""
        batch.work.results.append(Results(self, results, TP(self.topic, partition)))

    def took(self, results: Sequence[Result], source: str) -> None:
        """Take note of results that the broker has, and of the topic whose batches gave them."""
        self.sent += len(results)
        self.sources[source] += len(results)
        made = Made.of if self.serde is None and self.value_shown is None else Made.whole
        self.newest.extend(map(made, results[-NEWEST_RESULTS:]))

    def newest_shown(self) -> list[Made]:
        """Return the newest results, the newest first, with text for keys and JSON for values."""
        serde = self.serde
        as_text, as_json = self.key_shown, self.value_shown
        if serde is not None:
            as_text = as_text or (None if serde.key is None else Keys(serde.key).text)
            as_json = as_json or serde.value.to_json
        return [made.shown(as_text, as_json) for made in reversed(self.newest)]

    async def refused(
        self, result: Result, source: TP, record: Record | None, error: RecordRefusedError
    ) -> Results | None:
        """Return the dead letter for a result that the broker refuses, of the record that gave it if one alone did."""
        return self._app.dead_letters.instead_of(result, source, record, self.topic, error)


class _Made(msgspec.Struct, frozen=True, gc=False):
    """A result as the record of its own dead letter."""

    key: bytes | None
    value: bytes | None
    timestamp: int
    offset: int = -1


class DeadLetters(Output):
    """The topic for rejected records; counts them by topic and reason, and logs some of them.

    A dead letter has the key, the value, the timestamp and the headers of the rejected record; before these
    headers stand ``topic``, ``partition``, ``offset``, ``reason`` and ``error``, ``streamapp-join`` if a join has
    rejected it, and ``streamapp-agent`` and ``traceback`` if an agent failed. A value that the topic refuses for its
    size is left out, and the header ``value_bytes`` tells its size; if that is not enough, so are the key and all
    headers but the first five. The record itself is still where ``topic``, ``partition`` and ``offset`` say. A
    timestamp that the topic refuses becomes the header ``timestamp`` (ms), and the dead letter has the time of its
    sending; for a compacted topic a missing key is made of topic, partition and offset.

    A result that the broker refuses is a dead letter itself if no record gave it alone, as with a window that is
    reduced: ``topic`` is then the one that it is for, and ``offset`` is -1.
    """

    def __init__(self, app: OutputApp, topic: str) -> None:
        super().__init__(app, topic)
        self._logged = RateLimit(REJECTED_LOG_INTERVAL_S)
        #: Records rejected so far, by topic and reason.
        self.counts: Counter[tuple[str, Reason]] = Counter()
        self.samples = Samples()

    def reject(self, batch: Batch, rejected: Iterable[Rejected]) -> None:
        """Send rejected records of a batch once the agent is done with it."""
        batch.work.rejected += rejected

    def letters(self, rejected: Iterable[Rejected]) -> list[Result]:
        """Make the dead letters of rejected records, count and log them."""
        letters: list[Result] = []
        for one in rejected:
            self.counts[one.tp.topic, one.reason] += 1
            detail = f"{one.join or f'agent {one.agent}'}: {one.error}" if one.agent else one.error
            self.samples.add([Sample.of(one.tp, one.record, one.reason, detail)])
            self._log(one)
            if one.agent or not one.join:
                self._app.watch.rejected(one)
            if one.tp.topic != self.topic:  # a dead letter is in the dead letters, and would come back without end
                letters.append((_envelope(one), came(one.record).value))
        return letters

    def instead_of(
        self, result: Result, source: TP, record: Record | None, topic: str, error: RecordRefusedError
    ) -> Results | None:
        """Return the dead letter of the record whose result the broker refuses; without one, of the result."""
        if record is None:
            stamped, value = result
            source, record = TP(topic, source.partition), _Made(stamped.key, value, stamped.timestamp or 0)
        rejected = Rejected(source, record, Reason(error.cause), f"{topic} refuses the result: {error}")
        letters = self.letters([rejected])
        return Results(self, letters, source, rekeyed=True) if letters else None

    async def refused(self, result: Result, source: TP, record: Record | None, error: RecordRefusedError) -> Results:
        """Return a refused dead letter without what it is refused for; a RefusedError if not even that is taken."""
        letter, value = result
        key, timestamp = letter.key, letter.timestamp
        own, more = list(letter.headers[:OWN_HEADERS]), letter.headers[OWN_HEADERS:]
        if error.cause is Cause.INVALID_TIMESTAMP and timestamp is not None:
            own.append(("timestamp", str(timestamp).encode()))
            timestamp = None
        elif error.cause is Cause.TOO_LARGE and value is not None:
            own.append(("value_bytes", str(len(value)).encode()))
            value = None
        elif error.cause is Cause.TOO_LARGE and (key is not None or more):
            own[-1] = ("error", own[-1][1][:ERROR_MAX_BYTES])
            key, more = None, ()
        elif error.cause is Cause.REFUSED and key is None:
            key = b"/".join(place for _, place in own[:3])
        else:
            raise RefusedError(f"{self.topic} takes no dead letters: {error}")
        return Results(self, [(Envelope(key, timestamp, [*own, *more]), value)], source, rekeyed=True)

    def _log(self, one: Rejected) -> None:
        if self._logged.due((one.tp.topic, one.reason)):
            place, so_far = (*one.tp, one.record.offset), self.counts[one.tp.topic, one.reason]
            text = "%s[%d]@%d went to the dead letters, %s: %s (%d for this reason so far)"
            logger.warning(text, *place, one.reason, one.error, so_far)


def _stamped(stamped: Stamped, key: bytes | None, headers: Headers) -> Envelope:
    """Return what a result is sent with instead."""
    source, tp = (stamped.source, stamped.tp) if isinstance(stamped, Envelope) else (stamped, None)
    return Envelope(key, stamped.timestamp, headers, source, tp)


def _envelope(one: Rejected) -> Envelope:
    headers: Headers = [
        ("topic", one.tp.topic.encode()),
        ("partition", str(one.tp.partition).encode()),
        ("offset", str(one.record.offset).encode()),
        ("reason", one.reason.encode()),
        ("error", one.error.encode()),
    ]
    if one.join:
        headers.append((JOIN, one.join.encode()))
    if one.agent:
        headers.append((AGENT, one.agent.encode()))
    if one.traceback:
        headers.append(("traceback", one.traceback.encode()))
    record = came(one.record)
    # A record that a join kept for a time has no headers any more.
    return Envelope(record.key, record.timestamp, [*headers, *getattr(record, "headers", ())])
