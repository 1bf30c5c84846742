"""The records of a join's topics as it takes them in: which go together, in which order, and where each is from.

As on a worker: partitions of one number go together, merged by event time. Where the app writes a topic once more by
another key, its records go straight to the partition of that key, in the same order; where a foreign key is followed,
all partitions are one.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from streamapp.advice.reasons import Why
from streamapp.advice.stretch import Asked, Came, Part, Reader, StretchError, in_order
from streamapp.advice.subject import Subject, made_of
from streamapp.formats.undecodable import Undecodable
from streamapp.joins import Record, Refused, Wall
from streamapp.kafka.partitioner import partition_of
from streamapp.measures.lateness import Place
from streamapp.runtime.inputs import Input
from streamapp.runtime.topics import Rekeyed

__all__ = ["Group", "Parts", "Taken", "Taking"]

#: What a refusal is counted as that does not say of what kind it is.
REFUSED: Final = "refused"
#: By topic that is read, its parts.
Parts = Mapping[str, list[Part]]


class Located(msgspec.Struct, frozen=True, gc=False):
    """A record of several partitions that are joined as one: its offset tells both, partition and offset."""

    key: bytes | None
    value: bytes | None
    timestamp: int
    offset: int
    headers: Any = ()


class Group(NamedTuple):
    """Partitions that are read together; without a number: all there are."""

    number: int | None
    parts: list[tuple[str, Part]]


class Taken(NamedTuple):
    """A record that came, and what becomes of it before the join."""

    #: The partition of the join, and the number of the source.
    partition: int
    source: int
    #: What is joined; None = it is refused, or has no event time.
    record: Record | None
    came: Came
    #: Whether it is in the stretch itself, and not before it.
    counts: bool
    why: Why | None = None

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place(*self.came.tp, self.came.record.offset)


@dataclasses.dataclass(frozen=True)
class Taking:
    """Takes in the records of a join's topics.

    Args:
        subject: the join.
        reader: reads the topics.
        parts: which parts of them, by the topic that is read.
        wall: the wall clock, which tells what is ahead of it.
        arrival: whether records are taken in as they came, where it is known when that was.
    """

    subject: Subject
    reader: Reader
    parts: Parts
    wall: Wall
    arrival: bool = False

    @classmethod
    def of(
        cls,
        subject: Subject,
        reader: Reader,
        asked: Asked,
        wall: Wall,
        back: int = 0,
        *,
        tables_from_stretch: bool = False,
        arrival: bool = False,
    ) -> Taking:
        """Look up what a stretch is of: of tables all that is before it, of streams so much (ms) before it.

        Raises:
            StretchError: if a topic is not there, or those that go together have unlike numbers of partitions.
        """
        found: dict[str, list[Part]] = {}
        for each in subject.inputs:
            origin, table = subject.origin(each.topic), each.source in subject.tables
            if origin not in found or table:
                found[origin] = reader.parts(origin, asked, None if table and not tables_from_stretch else back)
        taking = cls(subject, reader, found, wall, arrival)
        taking.check()
        return taking

    @property
    def whole(self) -> bool:
        """Whether all partitions are read together."""
        return self.subject.whole or bool(self.subject.rekeyed)

    def check(self) -> None:
        """Raise a StretchError if topics that go together have unlike numbers of partitions."""
        counts = {topic: self.reader.partitions(topic) for topic in self._straight}
        if not self.subject.whole and len(set(counts.values())) > 1:
            told = " and ".join(f"{topic} has {count}" for topic, count in counts.items())
            raise StretchError(f"{self.subject.name} joins partitions of the same number, and {told}")

    def groups(self) -> Iterator[Group]:
        """Go through the partitions that are read together."""
        parts = [(each.topic, part) for each in self._inputs for part in self.parts[self.subject.origin(each.topic)]]
        if self.whole:
            yield Group(None, parts)
            return
        for number in sorted({part.tp.partition for _, part in parts}):
            yield Group(number, [(topic, part) for topic, part in parts if part.tp.partition == number])

    def take(self, group: Group, asked: Asked) -> Iterator[Taken]:
        """Go through the records of a group, in the order in which they are joined."""
        streams = [self.reader.records(part, asked, client) for client, (_, part) in enumerate(group.parts)]
        rekeyings = {topic: _Rekeying(rekeyed, self._count) for topic, rekeyed in self.subject.rekeyed.items()}
        for number, came in in_order(streams, self.wall, arrival=self.arrival):
            topic, part = group.parts[number]
            yield from self._taken(topic, came, part.counts(came.record.offset), rekeyings.get(topic))

    def place(self, source: int, partition: int, offset: int) -> Place | None:
        """Return where a record of a source is, by what a partition of the join knows of it; None = it does not."""
        topic = self.subject.topics.get(source)
        if topic is None or offset < 0:
            return None
        if self.whole:
            offset, partition = divmod(offset, self.reader.partitions(topic))
        return Place(topic, partition, offset)

    def in_stretch(self, place: Place) -> bool:
        """Return whether a record is in the stretch itself."""
        return place.offset >= self._starts[place.topic, place.partition]

    @functools.cached_property
    def _starts(self) -> dict[tuple[str, int], int]:
        return {(topic, part.tp.partition): part.start for topic, parts in self.parts.items() for part in parts}

    @property
    def _inputs(self) -> list[Input]:
        return list({each.topic: each for each in self.subject.inputs}.values())

    @property
    def _straight(self) -> list[str]:
        """The topics that are joined as they are, or, if there are none, those that are read."""
        topics = [each.topic for each in self.subject.inputs if each.topic not in self.subject.rekeyed]
        return list(dict.fromkeys(topics or self.subject.topics.values()))

    @property
    def _count(self) -> int:
        """How many partitions the join has."""
        return self.reader.partitions(self._straight[0])

    def _taken(self, topic: str, came: Came, counts: bool, rekeying: _Rekeying | None) -> Iterator[Taken]:
        partition, record = came.tp.partition, came.record
        sources = [each for each in self.subject.inputs if each.topic == topic]
        if came.bad:
            yield Taken(partition, sources[0].source, None, came, counts, came.bad)
            return
        for each in sources:
            try:
                made = (record,) if rekeying is None else (rekeying.record(record),)
                for one in (joined for first in made for joined in made_of(each, first)):
                    if rekeying is not None:
                        partition = rekeying.partition(one)
                    joined = self._located(one, came) if self.whole else one
                    yield Taken(0 if self.subject.whole else partition, each.source, joined, came, counts)
            except Refused as refused:
                yield Taken(partition, each.source, None, came, counts, Why(refused.cause or REFUSED, str(refused)))
            except Undecodable as exc:
                yield Taken(partition, each.source, None, came, counts, Why(exc.reason, str(exc)))

    def _located(self, record: Record, came: Came) -> Record:
        offset = came.record.offset * self.reader.partitions(came.tp.topic) + came.tp.partition
        return Located(record.key, record.value, record.timestamp, offset)


class _Rekeying:
    """Gives records another key, and the partition of it."""

    def __init__(self, rekeyed: Rekeyed, count: int) -> None:
        self._rekeyed, self._count = rekeyed, count
        #: By the keys that records come with, those that they get: for what deletes them.
        self._known: dict[bytes | None, bytes | None] = {}

    def record(self, record: Record) -> Record:
        """Return a record with its other key; raises `Refused` or `Undecodable` for one that has none."""
        rekeyed = self._rekeyed
        came = record if rekeyed.read is None else rekeyed.read.one(record)
        if came.value is not None:
            key = rekeyed.key(came)
        elif rekeyed.tombstones and record.key in self._known:
            key = self._known[record.key]
        else:
            raise Refused("it has no value, and so no other key")
        if rekeyed.tombstones:
            self._known[record.key] = key
        return Located(key, came.value, came.timestamp, came.offset, getattr(came, "headers", ()))

    def partition(self, record: Record) -> int:
        """Return the partition of a record's key."""
        return partition_of(record.key, self._count)
