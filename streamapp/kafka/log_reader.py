"""A look into the logs of partitions: records by offset, from a time on, and up to where a group has read them.

For questions, not for work: a reader of its own, which joins no group and commits nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Self, TypeVar, cast

from confluent_kafka import KafkaException, Message, TopicPartition
from confluent_kafka.admin import TopicMetadata

from streamapp.errors import StreamappError
from streamapp.kafka.clients import reader
from streamapp.kafka.coordinator import coordinated
from streamapp.kafka.partition import TP
from streamapp.kafka.record import Headers
from streamapp.settings import PREFIX, Settings

__all__ = ["Log", "LogError", "Logged", "MissingError", "Remaining", "Scan"]

#: Records that are taken at once: a thread that asks for each would wait for the interpreter as often.
AT_ONCE: Final = 1_000
#: Seconds of one look for more records, the last of which finds none.
CONSUME_TIMEOUT_S: Final = 0.01
#: Seconds that the broker has for its answer.
ANSWER_TIMEOUT_S: Final = 5.0
#: Milliseconds after which the broker answers that there is nothing more, where somebody waits for it.
WAITING_MS: Final = 500
#: Less n, the offset of librdkafka for the n-th record from the end (RD_KAFKA_OFFSET_TAIL_BASE in rdkafka.h).
FROM_END: Final = -2_000

T = TypeVar("T")


class LogError(StreamappError):
    """A broker that does not answer, or what is not there; the text is one line."""


class MissingError(LogError):
    """A record that is not there."""


class Logged(NamedTuple):
    """A record as it is in the log of a partition."""

    tp: TP
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    message: Message

    @property
    def headers(self) -> Headers:
        """The headers, in order; none if a name is not UTF-8."""
        try:
            found = cast(Headers, self.message.headers() or [])
        except UnicodeDecodeError:
            return []
        return [(name, value or b"") for name, value in found]

    @property
    def named(self) -> dict[str, bytes]:
        """The headers by name; of several of one name the first."""
        return dict(reversed(self.headers))


def logged(message: Message) -> Logged:
    """Return the record that librdkafka has read."""
    tp, offset = TP(message.topic() or "", message.partition() or 0), message.offset() or 0
    return Logged(tp, offset, message.timestamp()[1], message.key(), message.value(), message)


@dataclasses.dataclass
class Remaining:
    """What there is in a partition from an offset up to another one, as far as it was read."""

    #: The offset of what comes next.
    at: int
    #: The offset that is not counted any more.
    end: int
    #: Records that were read, and their first and largest event time (ms).
    count: int = 0
    first: int | None = None
    newest: int | None = None

    @property
    def complete(self) -> bool:
        """Whether all of it was read."""
        return self.at >= self.end

    @property
    def lag(self) -> int:
        """The records that there are; of what was not read, the offsets, some of which may be no records."""
        return self.count + max(0, self.end - self.at)

    def take(self, message: Message) -> bool:
        """Take in a record, or what tells of the partition's end; returns whether all is read."""
        error, offset = message.error(), message.offset() or 0
        if error is not None:
            if error.name() == "_PARTITION_EOF":
                self.at = self.end
            return self.complete
        if offset < self.end:
            timestamp = message.timestamp()[1]
            self.count += 1
            self.first = timestamp if self.first is None else self.first
            self.newest = timestamp if self.newest is None else max(self.newest, timestamp)
        self.at = min(self.end, offset + 1)
        return self.complete


class Log:
    """Reads the logs of partitions, for a time; to be used in a `with`, by one thread at a time.

    Args:
        settings: where the broker is.
        patience: seconds after which nothing more is read.
        isolation_level: what is read of transactions.
        group: whose committed offsets are asked for; default: the settings'.
        waits: whether it reads on at the ends of partitions for long: then the broker is asked less often.

    Raises:
        LogError: by all methods, if the broker does not answer.
    """

    def __init__(
        self,
        settings: Settings,
        patience: float,
        *,
        isolation_level: str = "read_committed",
        group: str = "",
        waits: bool = False,
    ) -> None:
        self._settings = settings
        self._group = group or settings.id
        self._patience = patience
        self._end = time.monotonic() + patience
        self._counts: dict[str, int] = {}
        options: dict[str, str | int] = {"isolation.level": isolation_level, "queued.max.messages.kbytes": 16 << 10}
        if waits:
            options["fetch.wait.max.ms"] = WAITING_MS
        self._reader = reader(settings, self._group, options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    @property
    def left(self) -> float:
        """Seconds until nothing more is read."""
        return max(0.0, self._end - time.monotonic())

    def partitions(self, topic: str) -> int:
        """Count the partitions of a topic; 0 = there is no such topic."""
        if topic not in self._counts:
            listed = self._asked(lambda: self._reader.list_topics(topic, timeout=ANSWER_TIMEOUT_S))
            found: TopicMetadata = listed.topics[topic]
            if found.error is not None and found.error.name() != "UNKNOWN_TOPIC_OR_PART":
                raise LogError(f"{topic}: {found.error.str()}")
            self._counts[topic] = len(found.partitions)
        return self._counts[topic]

    def record(self, tp: TP, offset: int) -> Logged:
        """Read a record; a MissingError if there is none at the offset."""
        first, end = self._bounds(tp)
        if not first <= offset < end:
            there = f"offsets {first} to {end - 1}" if first < end else "no records"
            raise MissingError(f"{tp.topic}[{tp.partition}] has no offset {offset}: it has {there}")
        for found in Scan(self, tp, offset):
            if found.offset == offset:
                return found
            break
        raise MissingError(
            f"{tp.topic}[{tp.partition}] has no record at offset {offset}: it was compacted, or never one"
        )

    def all(self, tp: TP, offset: int = 0) -> Iterator[Logged]:
        """Go through all records of a partition from an offset on; the patience is that between two of them.

        Raises:
            LogError: if the end is not reached.
        """
        self._end = time.monotonic() + self._patience
        for record in (scan := Scan(self, tp, offset)):
            yield record
            self._end = time.monotonic() + self._patience
        if not scan.complete:
            raise LogError(f"{tp.topic}[{tp.partition}] could not be read to its end: the broker does not answer")

    def since(self, tp: TP, timestamp: int, *, back: int = 0) -> Scan:
        """Go through a partition from its first record whose time is not before this one (ms), or `back` before it."""
        place = [TopicPartition(*tp, max(0, timestamp))]
        (found,) = self._asked(lambda: self._reader.offsets_for_times(place, timeout=ANSWER_TIMEOUT_S))
        if found.offset >= 0:
            return Scan(self, tp, max(0, found.offset - back))
        return Scan(self, tp, max(0, self._bounds(tp)[1] - back) if back else None)  # all are older

    def _bounds(self, tp: TP) -> tuple[int, int]:
        place = TopicPartition(*tp)
        return self._asked(lambda: self._reader.get_watermark_offsets(place, timeout=ANSWER_TIMEOUT_S, cached=False))

    def remaining(self, ranges: Mapping[TP, tuple[int, int]], *, at_most: int) -> dict[TP, Remaining]:
        """Count the records of partitions from an offset up to, and without, another one.

        Args:
            ranges: the two offsets, by partition.
            at_most: records of a partition that are read, about; where there are more, the rest is told by the offsets.
        """
        found = {tp: Remaining(at, end) for tp, (at, end) in ranges.items()}
        reading = {tp: one.at for tp, one in found.items() if one.at < one.end}
        for message in self.read(dict(reading)):
            tp = TP(message.topic() or "", message.partition() or 0)
            if tp in reading and (found[tp].take(message) or found[tp].count >= at_most):
                del reading[tp]
                self._reader.incremental_unassign([TopicPartition(*tp)])
            if not reading:
                break
        return found

    def newest(self, tps: Iterable[TP], count: int) -> Iterator[Message]:
        """Read the newest records of partitions, so many of each; one that has no leader yet is waited for."""
        reading = dict.fromkeys(tps, FROM_END - count)
        for message in self.read(dict(reading)):
            error = message.error()
            if error is None:
                yield message
            elif error.name() == "_PARTITION_EOF":
                reading.pop(TP(message.topic() or "", message.partition() or 0), None)
            if not reading:
                return

    def bounds(self, tps: Iterable[TP]) -> dict[TP, tuple[int, int]]:
        """Return the first offset of partitions, and the one after the last."""
        return {tp: self._bounds(tp) for tp in tps}

    def at_time(self, tps: Iterable[TP], timestamp: int) -> dict[TP, int | None]:
        """Return the first offset of partitions whose time is not before this one (ms); None = all are older."""
        places = [TopicPartition(*tp, max(0, timestamp)) for tp in tps]
        found = self._asked(lambda: self._reader.offsets_for_times(places, timeout=ANSWER_TIMEOUT_S))
        return {TP(one.topic, one.partition): one.offset if one.offset >= 0 else None for one in found}

    def between(self, ranges: Mapping[TP, tuple[int, int]]) -> Iterator[Logged]:
        """Go through records of partitions from an offset up to, and without, another one, as they come.

        The patience is that between two of them. A range may end before a record, or where the partition ends.

        Raises:
            LogError: if an end is not reached.
        """
        left = {tp: end for tp, (begin, end) in ranges.items() if begin < end}
        if not left:
            return
        self._end = time.monotonic() + self._patience
        for message in self.read({tp: ranges[tp][0] for tp in left}):
            error, tp = message.error(), TP(message.topic() or "", message.partition() or 0)
            if error is not None and error.name() != "_PARTITION_EOF":
                if error.retriable():
                    continue
                raise LogError(f"{tp.topic}: {error.str()}")
            if tp not in left:
                continue
            if error is None and (record := logged(message)).offset < left[tp]:
                yield record
                self._end = time.monotonic() + self._patience
            if error is not None or (message.offset() or 0) + 1 >= left[tp]:
                del left[tp]
                self._reader.incremental_unassign([TopicPartition(*tp)])
                if not left:
                    return
        raise LogError(f"{next(iter(left)).topic} could not be read to its end: the broker does not answer")

    def following(self, offsets: Mapping[TP, int]) -> Iterator[Logged | None]:
        """Go through records of partitions from offsets on, without end; None = there is no more at the moment."""
        self._end = float("inf")
        for message in self.read(offsets):
            error = message.error()
            if error is None:
                yield logged(message)
            elif error.name() == "_PARTITION_EOF":
                yield None
            elif not error.retriable():
                raise LogError(f"{message.topic()}: {error.str()}")

    def committed(self, tps: Sequence[TP]) -> dict[TP, int]:
        """Return up to where the group has read partitions; those that it has not begun are left out.

        Of a transaction that a killed worker left open, with offsets, it does not count, and is not waited for.
        """
        asked = [TopicPartition(*tp) for tp in tps]
        with contextlib.closing(reader(self._settings, self._group, {"isolation.level": "read_uncommitted"})) as asking:
            found = self._asked(lambda: coordinated(lambda: asking.committed(asked, timeout=ANSWER_TIMEOUT_S)))
        return {TP(one.topic, one.partition): one.offset for one in found if one.offset >= 0}

    def partitions_read(self, topic: str, count: int) -> int:
        """Return among how many partitions of a topic the group has read it so far; `count` if it has not."""
        read = self.committed([TP(topic, number) for number in range(count)])
        return 1 + max((tp.partition for tp in read), default=count - 1)

    def read(self, offsets: Mapping[TP, int]) -> Iterator[Message]:
        """Read partitions from offsets on while there is patience; at the end of each comes an error that says so."""
        self._reader.assign([TopicPartition(*tp, offset) for tp, offset in offsets.items()])
        try:
            while offsets and self.left:
                yield from self._asked(lambda: self._reader.consume(AT_ONCE, CONSUME_TIMEOUT_S))
        finally:
            with contextlib.suppress(RuntimeError):  # who has seen enough may have left the log before
                self._reader.unassign()

    def _asked(self, question: Callable[[], T]) -> T:
        try:
            return question()
        except KafkaException as exc:
            raise LogError(f"Kafka at {self._settings.broker} ({PREFIX}BROKER): {exc.args[0].str()}") from None


@dataclasses.dataclass
class Scan:
    """The records of a partition from an offset on, up to its end or until the log's patience is over."""

    log: Log
    tp: TP
    #: Of the first record; None = there are none.
    offset: int | None
    #: Whether the end was reached.
    complete: bool = False

    def __iter__(self) -> Iterator[Logged]:
        self.complete = self.offset is None
        for message in self.log.read({} if self.offset is None else {self.tp: self.offset}):
            error = message.error()
            if error is None:
                yield logged(message)
            elif error.name() == "_PARTITION_EOF":
                self.complete = True
                return
            elif not error.retriable():
                raise LogError(f"{self.tp.topic}: {error.str()}")
