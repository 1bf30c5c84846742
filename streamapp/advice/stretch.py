"""A stretch of topics: which records of each partition are in it, and in which order those of several are taken.

Only read: no group is joined, and nothing is committed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Self

from streamapp.advice.event_time import BadTime, EventTime
from streamapp.advice.reasons import Why
from streamapp.errors import StreamappError
from streamapp.joins import Record, Wall
from streamapp.joins.clock import BEGINNING
from streamapp.kafka.log_reader import Log, Logged
from streamapp.kafka.partition import TP
from streamapp.reset.where import Kind, Where
from streamapp.settings import Guarantee, Settings

__all__ = ["EMPTY", "Asked", "Came", "Part", "Reader", "StretchError", "in_order"]

#: Seconds after which a broker that sends nothing more does not answer.
PATIENCE_S: Final = 30.0
#: The records of a topic that are read if nothing else is said.
RECORDS: Final = 100_000
#: So many records in a row that are not before the end of the stretch tell that no more of it comes; one from the
#: future tells nothing.
BEYOND: Final = 100
#: What is told if there is nothing to look at.
EMPTY: Final = "there are no records in this stretch: --from, --to, --offset and --records say which it is"


class StretchError(StreamappError):
    """A stretch that is not there; the text is one line."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """Which stretch is asked for.

    Args:
        since: where it begins: a time, the beginning, or an offset of each partition; None = by the number of records.
        until: the time (ms) before which it ends; None = where the topic ends by now.
        end: the offset before which it ends in each partition; None = it ends by time.
        records: of each topic, if `since` does not say: the newest.
        partitions: only these; none = all.
    """

    since: Where | None = None
    until: int | None = None
    end: int | None = None
    records: int = RECORDS
    partitions: tuple[int, ...] = ()


class Part(NamedTuple):
    """The part of a partition that is in a stretch, by offsets."""

    tp: TP
    #: From where it is read: before the stretch, for what has to be known at its beginning.
    begin: int
    #: The first record of the stretch, and the one behind its last.
    start: int
    end: int

    def counts(self, offset: int) -> bool:
        """Return whether a record is in the stretch itself."""
        return offset >= self.start


class Came(NamedTuple):
    """A record of a stretch as it came: its partition, and when that was (ms), as far as that is known."""

    tp: TP
    record: Record
    arrival: int | None
    #: Why it has no event time; it is not measured and not joined then.
    bad: Why | None = None


class Reader:
    """Reads stretches; to be used in a `with`. Several partitions are read side by side, by a client each."""

    def __init__(self, settings: Settings, time: EventTime) -> None:
        self.settings = settings
        self._time = time
        committed = settings.processing_guarantee is Guarantee.EXACTLY_ONCE
        self._isolation = "read_committed" if committed else "read_uncommitted"
        self._logs: list[Log] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._stack.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def log(self, number: int = 0) -> Log:
        """Return one of the clients."""
        while len(self._logs) <= number:
            log = Log(self.settings, PATIENCE_S, isolation_level=self._isolation)
            self._logs.append(self._stack.enter_context(log))
        return self._logs[number]

    def parts(self, topic: str, asked: Asked, back: int | None = 0) -> list[Part]:
        """Return the parts of a topic, by its full name, that are in a stretch.

        Args:
            topic: the topic.
            asked: which stretch.
            back: from how much (ms) before it records are read; None = from the beginning of the topic.

        Raises:
            StretchError: if there is no such topic or partition.
        """
        count = self.partitions(topic)
        if lacking := [number for number in asked.partitions if number >= count]:
            raise StretchError(f"{topic} has no partition {lacking[0]}, but 0 to {count - 1}")
        tps = [TP(topic, number) for number in sorted(asked.partitions or range(count))]
        bounds = self.log().bounds(tps)
        if asked.end is not None:
            bounds = {tp: (first, max(first, min(end, asked.end))) for tp, (first, end) in bounds.items()}
        starts = self._starts(asked, bounds)
        begins = {tp: first for tp, (first, _) in bounds.items()} if back is None else starts
        if back and (time := self._time_at(asked, starts, bounds)) is not None:
            earlier = self._at_time(time - back, bounds)
            begins = {tp: min(earlier[tp], start) for tp, start in starts.items()}
        return [Part(tp, begins[tp], starts[tp], bounds[tp][1]) for tp in tps]

    def partitions(self, topic: str) -> int:
        """Count the partitions of a topic; a StretchError if there is no such one."""
        if not (count := self.log().partitions(topic)):
            raise StretchError(f"there is no topic {topic} at {self.settings.broker}")
        return count

    def records(self, part: Part, asked: Asked, client: int = 0) -> Iterator[Came]:
        """Go through a part, with the event times of the records; one whose time is none keeps its own, and is bad."""
        until = asked.until
        held: list[Came] = []
        for logged in self.log(client).between({part.tp: (part.begin, part.end)}):
            came = self._came(logged)
            if until is None or came.record.timestamp < until:
                yield from held
                held.clear()
                yield came
            elif len(held) < BEYOND:
                held.append(came)
            else:
                return

    def _came(self, logged: Logged) -> Came:
        try:
            return Came(logged.tp, *self._time.of(logged))
        except BadTime as exc:
            return Came(logged.tp, logged, logged.timestamp, exc.why)

    def _starts(self, asked: Asked, bounds: dict[TP, tuple[int, int]]) -> dict[TP, int]:
        """Return the offsets at which a stretch starts in partitions that have these bounds."""
        since = asked.since
        if since is None:
            return self._newest(asked.records, bounds)
        match since.kind:
            case Kind.BEGINNING:
                return {tp: first for tp, (first, _) in bounds.items()}
            case Kind.OFFSET:
                return {tp: min(max(first, since.value), end) for tp, (first, end) in bounds.items()}
            case Kind.TIME:
                return self._at_time(since.value, bounds)
            case Kind.NOW:
                raise StretchError("from now on there are no records yet: --from is a time, so long ago, or beginning")

    def _newest(self, count: int, bounds: dict[TP, tuple[int, int]]) -> dict[TP, int]:
        """Return where the newest records start: from one time on in all partitions, of each no more than its share."""
        share = max(1, count // len(bounds))
        tails = {tp: max(first, end - share) for tp, (first, end) in bounds.items()}
        time = max(self._times(tails, [tp for tp, start in tails.items() if start > bounds[tp][0]]), default=None)
        if time is None:
            return tails
        # One from the future is where Kafka finds each time that is before it.
        places = self._at_time(time, bounds)
        return {tp: max(start, places[tp]) for tp, start in tails.items()}

    def _time_at(self, asked: Asked, starts: dict[TP, int], bounds: dict[TP, tuple[int, int]]) -> int | None:
        """Return the time (ms) at which a stretch starts; None = there is nothing before it, or nothing in it."""
        if asked.since is not None and asked.since.kind is Kind.TIME:
            return asked.since.value
        behind = [tp for tp, start in starts.items() if bounds[tp][0] < start < bounds[tp][1]]
        return min(self._times(starts, behind), default=None)

    def _times(self, starts: dict[TP, int], tps: Iterable[TP]) -> list[int]:
        """Return the timestamps of the records at some offsets, as far as they are there."""
        return [one.timestamp for tp in tps for one in self.log().between({tp: (starts[tp], starts[tp] + 1)})]

    def _at_time(self, time: int, bounds: dict[TP, tuple[int, int]]) -> dict[TP, int]:
        found = self.log().at_time(list(bounds), time)
        return {tp: end if (at := found.get(tp)) is None else min(at, end) for tp, (_, end) in bounds.items()}


def in_order(streams: Sequence[Iterable[Came]], wall: Wall, *, arrival: bool) -> Iterator[tuple[int, Came]]:
    """Go through the records of partitions that are joined, with the numbers of these.

    As a worker that has all of them at hand: the record of the partition whose latest time so far is the earliest goes
    first, at equal times that of the partition that is named first; one that is ahead of the wall clock goes right
    after the one before it. Or as they came, if it is known when that was (`arrival`).
    """
    placed = [_placed(number, stream, wall.limit, arrival=arrival) for number, stream in enumerate(streams)]
    return ((number, came) for _, number, _, came in heapq.merge(*placed))


def _placed(number: int, stream: Iterable[Came], limit: int, *, arrival: bool) -> Iterator[tuple[int, int, int, Came]]:
    time = BEGINNING
    for place, came in enumerate(stream):
        at = came.arrival if arrival and came.arrival is not None else came.record.timestamp
        if not came.bad and (arrival or at <= limit):
            time = max(time, at)
        yield time, number, place, came
