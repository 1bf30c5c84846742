"""Measures how late the records of a join's topics are, and says what each grace would keep and cost."""

from __future__ import annotations

import dataclasses
import time
from collections import defaultdict
from typing import Any, Final

from streamapp.advice.costs import ROW_BYTES, held, may_have_grace, waits
from streamapp.advice.event_time import odd
from streamapp.advice.reasons import Reasons, Why
from streamapp.advice.report import (
    SHARES,
    Advice,
    DistanceAdvice,
    Grace,
    JoinAdvice,
    PartAdvice,
    Skew,
    State,
    TopicAdvice,
    WaitAdvice,
    WindowAdvice,
    lateness,
)
from streamapp.advice.stretch import Asked, Reader
from streamapp.advice.subject import Subject
from streamapp.advice.taking import Taken, Taking
from streamapp.joins import IdleTimeout, Side, StreamStreamJoin, Wall
from streamapp.joins.clock import END
from streamapp.joins.corrections import mark_of
from streamapp.measures.distances import Distances
from streamapp.measures.lateness import Lateness, Measured
from streamapp.measures.traffic import Traffic

__all__ = ["Measuring", "wall_at"]

#: What has to be known of several topics, of records that were sent once more, and of an idle timeout.
SEVERAL: Final = (
    "topics are merged by their event times, as by a worker that reads them again; live, the side that comes later is "
    "late by so much more, which only records tell that have their event time in a field (--timestamp)"
)
REDRIVEN: Final = Why("redriven", "it was sent once more (streamapp redrive), and is not late as others are")
NO_ARRIVAL: Final = (
    "{name}: its idle timeout is not counted: when records came is known only where their event time is a field "
    "(--timestamp) and not their timestamp"
)


def wall_at(now: int, max_ahead: float) -> Wall:
    """Return the wall clock at a time (ms), with how far (s) ahead of it a record may move a clock; < 0 = any."""
    wall = Wall()
    wall.set(now, int(max_ahead * 1000) if max_ahead >= 0 else END)
    return wall


class _Topic:
    """What is measured of a topic, whose partitions have clocks of their own."""

    def __init__(self, wall: Wall) -> None:
        self._wall = wall
        self.parts: dict[int, Lateness] = {}
        self.offsets: dict[int, tuple[int, int]] = {}
        self.bytes = 0

    def see(self, taken: Taken) -> None:
        """Take in a record as it came."""
        (_, number), record = taken.came.tp, taken.came.record
        if number not in self.parts:
            self.parts[number] = Lateness(self._wall)
            self.offsets[number] = record.offset, record.offset
        self.parts[number].see(taken.place, record.timestamp)
        self.offsets[number] = self.offsets[number][0], record.offset + 1
        self.bytes += _size(record.key) + _size(record.value)

    def told(self, topic: str) -> TopicAdvice:
        """Return what was measured."""
        whole, parts = Measured(), []
        for number, each in sorted(self.parts.items()):
            measured = each.close()
            whole.merge(measured)
            parts.append(PartAdvice(number, *self.offsets[number], each.first, each.clock.now, lateness(measured)))
        return TopicAdvice(topic, whole.histogram.count, self.bytes, lateness(whole), parts)


@dataclasses.dataclass
class Measuring:
    """Measures one join or topic after the other.

    Args:
        reader: reads the topics.
        asked: which stretch.
        now: the wall time (ms).
        max_ahead: how far (s) ahead of it a record may move a clock; less than 0 = there is no bound.
        arrival: whether it is known when records came, since their event time is a field.
    """

    reader: Reader
    asked: Asked
    now: int
    max_ahead: float
    arrival: bool = False

    def __post_init__(self) -> None:
        self._topics: dict[str, _Topic] = {}
        self._joins: list[JoinAdvice] = []
        #: Records without an event time, and those that have an odd one.
        self.bad, self.odd = Reasons(), Reasons()
        self._records = 0
        self._seconds = 0.0
        self._notes: dict[str, None] = {}

    def measure(self, subject: Subject) -> None:
        """Read the stretch of a subject, and measure it."""
        began = time.monotonic()
        self._joins.append(_Subject(self, subject).told())
        self._seconds += time.monotonic() - began

    def advice(self) -> Advice:
        """Return all that was measured."""
        return Advice(
            topics=[topic.told(name) for name, topic in self._topics.items()],
            joins=self._joins,
            bad=self.bad.told(),
            odd=self.odd.told(),
            records=self._records,
            seconds=round(self._seconds, 3),
            records_per_s=round(self._records / self._seconds) if self._seconds else 0,
            notes=list(self._notes),
        )

    def wall(self) -> Wall:
        """Return a wall clock for clocks that go together; where it is known when records came, it goes by that."""
        return wall_at(0 if self.arrival else self.now, self.max_ahead)

    def note(self, text: str) -> None:
        """Say what has to be known."""
        self._notes[text] = None

    def topic(self, name: str, wall: Wall) -> _Topic | None:
        """Return what is measured of a topic; None if it was measured already."""
        if name in self._topics:
            return None
        self._topics[name] = _Topic(wall)
        return self._topics[name]

    def read(self) -> None:
        """Count a record that was read."""
        self._records += 1


class _Subject:
    """Measures one subject."""

    def __init__(self, measuring: Measuring, subject: Subject) -> None:
        self._measuring, self._subject = measuring, subject
        self._grace = subject.grace
        self._wall = measuring.wall()
        self._alone = {
            topic: found
            for topic in dict.fromkeys(subject.topics.values())
            if (found := measuring.topic(topic, self._wall)) is not None
        }
        #: By partition of the join, its clock; and the same by topic.
        self._clocks: dict[int, Lateness] = {}
        self._sides: dict[int, Measured] = {source: Measured() for source in subject.topics}
        self._ends: defaultdict[int, dict[int, int]] = defaultdict(dict)
        self._traffic = {source: Traffic() for source in subject.topics}
        self._distances = Distances() if isinstance(subject.join, StreamStreamJoin) else None
        self._ahead = [0, 0]
        #: By partition, when the last record came (ms), as far as that is known.
        self._came_last: dict[int, int] = {}
        self._refused = Reasons()
        self._read()

    def _read(self) -> None:
        measuring, subject = self._measuring, self._subject
        taking = Taking.of(
            subject,
            measuring.reader,
            measuring.asked,
            self._wall,
            tables_from_stretch=True,
            arrival=measuring.arrival,
        )
        if len(set(subject.topics.values())) > 1 and not measuring.arrival:
            measuring.note(SEVERAL)
        if subject.idle_timeout is not None and not measuring.arrival:
            measuring.note(NO_ARRIVAL.format(name=subject.name))
        for group in taking.groups():
            idle: dict[int, IdleTimeout] = {}
            last, redriven = None, False
            for taken in taking.take(group, measuring.asked):
                if taken.came is not last:
                    last, redriven = taken.came, mark_of(taken.came.record) is not None
                    self._came(taken, redriven=redriven)
                if redriven:
                    continue
                if taken.record is None:
                    if taken.why is not None and taken.came.bad is None:
                        self._refused.add(taken.why, taken.place)
                else:
                    self._taken(taken, idle)

    def _came(self, taken: Taken, *, redriven: bool) -> None:
        """Take in a record as it came, once, whatever a join makes of it."""
        measuring, came = self._measuring, taken.came
        measuring.read()
        if redriven:
            measuring.bad.add(REDRIVEN, taken.place)
            return
        if came.bad is not None:
            measuring.bad.add(came.bad, taken.place)
            return
        if measuring.arrival and came.arrival is not None and came.arrival > self._wall.now:
            self._wall.set(came.arrival, self._wall.limit - self._wall.now)
        if strange := odd(came.record.timestamp):
            measuring.odd.add(Why(strange, str(came.record.timestamp)), taken.place)
        if (alone := self._alone.get(came.tp.topic)) is not None:
            alone.see(taken)

    def _taken(self, taken: Taken, idle: dict[int, IdleTimeout]) -> None:
        """Take in a record as the join does."""
        record, source, number = taken.record, taken.source, taken.partition
        assert record is not None  # noqa: S101 - who calls has looked
        key, value, timestamp = record.key, record.value, record.timestamp
        self._traffic[source].add(timestamp, _size(key) + _size(value) + ROW_BYTES)
        if source not in self._subject.clocked or (value is None and self._subject.join is not None):
            return
        clock = self._clocks.get(number)
        if clock is None:
            clock = self._clocks[number] = Lateness(self._wall, self._grace)
        self._pass(clock, number, taken, idle)
        self._came_last[number] = taken.came.arrival or 0
        late = clock.late
        behind = clock.see(taken.place, timestamp, moves=key is not None or self._subject.join is None)
        side = self._sides[source]
        side.histogram.add(behind)
        side.late += clock.late - late
        self._skewed(number, source, timestamp)
        if self._distances is not None and key is not None:
            self._distances.add(source, key, timestamp)

    def _pass(self, clock: Lateness, number: int, taken: Taken, idle: dict[int, IdleTimeout]) -> None:
        """Let event time go on by itself where the join has an idle timeout, and it is known when records came."""
        timeout, arrival = self._subject.idle_timeout, taken.came.arrival
        if timeout is None or arrival is None or not self._measuring.arrival:
            return
        known = idle.get(number)
        if known is None:
            idle[number] = IdleTimeout(timeout, arrival)
            return
        # The clock as the record before has left it.
        known.seen(clock.clock.now, self._came_last[number])
        if (due := known.due(arrival)) is not None:
            clock.pass_to(min(due, self._wall.limit))

    def _skewed(self, number: int, source: int, timestamp: int) -> None:
        ends = self._ends[number]
        if timestamp > self._wall.limit:
            return
        ends[source] = max(ends.get(source, timestamp), timestamp)
        if self._measuring.arrival and ends.keys() >= set(Side):
            ahead = ends[Side.LEFT] - ends[Side.RIGHT]
            self._ahead = [max(self._ahead[0], ahead), max(self._ahead[1], -ahead)]

    def told(self) -> JoinAdvice:
        """Return what was measured."""
        subject, whole = self._subject, Measured()
        duration = max((_covered(clock) for clock in self._clocks.values()), default=0)
        for clock in self._clocks.values():
            whole.merge(clock.close())
        names = [subject.topics[source] for source in sorted(subject.topics)]
        join = "" if subject.join is None else str(subject.join.declared())
        present = None
        if self._grace is not None:
            present = self._costs(None, self._grace, whole.late, duration)
        histogram = whole.histogram
        graces = [
            self._costs(str(share), grace, histogram.count - histogram.within(grace), duration)
            for share in (SHARES if may_have_grace(subject.join) else ())
            for grace in [histogram.holds(share)]
        ]
        return JoinAdvice(
            name=subject.name,
            declared=join,
            lateness=lateness(whole),
            sides=self._by_side() if len(subject.clocked) > 1 and len(names) > 1 else {},
            present=present,
            graces=graces,
            distances=None if self._distances is None else _distances(self._distances, subject.join),
            skew=self._skew() if len(set(names)) == len(Side) and subject.clocked.issuperset(Side) else None,
            refused=self._refused.told(),
        )

    def _by_side(self) -> dict[str, Any]:
        topics, several = self._subject.topics, len(set(self._subject.topics.values())) > 1
        return {
            topics[source] if several else f"{topics[source]} ({Side(source).name.lower()})": lateness(side)
            for source, side in self._sides.items()
        }

    def _costs(self, share: str | None, grace: int, late: int, duration: int) -> Grace:
        join, topics = self._subject.join, self._subject.topics
        state = [self._state(one.source, one.ms, one.rows, duration) for one in held(join, grace, sorted(topics))]
        return Grace(share, grace, late, [WaitAdvice(*one) for one in waits(join, grace)], state)

    def _state(self, source: int, span: int, rows: int, duration: int) -> State:
        traffic, topic = self._traffic[source], self._subject.topics[source]
        most = traffic.most(span)
        part = min(1.0, max(0, span) / duration) if duration else 1.0
        mean_rows, mean_bytes = (round(amount * part) for amount in (traffic.records, traffic.bytes))
        if rows:
            return State(topic, span, mean_rows * rows, most.records * rows, None, None)
        return State(topic, span, mean_rows, most.records, mean_bytes, most.bytes)

    def _skew(self) -> Skew:
        at_end = {
            number: ends[Side.LEFT] - ends[Side.RIGHT]
            for number, ends in sorted(self._ends.items())
            if len(ends) == len(Side)
        }
        left, right = self._ahead if self._measuring.arrival else (None, None)
        return Skew(at_end, left, right)


def _distances(distances: Distances, join: object) -> DistanceAdvice:
    found = distances.windows()
    windows = [
        WindowAdvice(str(share), *(each.holds(share) for each in (found.before, found.after, found.nearest)))
        for share in SHARES
    ]
    matched = distances.matched(join.before, join.after) if isinstance(join, StreamStreamJoin) else None
    return DistanceAdvice(found.records, found.with_partner, found.before.count, found.after.count, windows, matched)


def _covered(clock: Lateness) -> int:
    """Return the event time (ms) that a clock has gone through."""
    return 0 if clock.first is None or clock.clock.now is None else clock.clock.now - clock.first


def _size(data: bytes | None) -> int:
    return 0 if data is None else len(data)
