"""Session windows: records of a key that follow each other within a gap."""

from __future__ import annotations

import bisect
import dataclasses
import heapq
import operator
from collections.abc import Iterator, Sequence
from typing import Final

from streamapp.joins import ordering
from streamapp.joins.clock import END
from streamapp.joins.declared import duration
from streamapp.joins.explanation import Explanation, Verdict
from streamapp.joins.join import Operator
from streamapp.joins.ledger import Refused
from streamapp.joins.output import Output, Reason
from streamapp.joins.records import Batch, Record
from streamapp.joins.state import State
from streamapp.windows.aggregate import Held, Place, mergeable
from streamapp.windows.durations import Duration, milliseconds
from streamapp.windows.states import NO_PLACES, NO_ROWS
from streamapp.windows.window_operator import WindowOperator
from streamapp.windows.windowed import Windowed
from streamapp.windows.windowed_aggregate import WindowedAggregate

__all__ = ["Sessions", "SessionsOperator", "session"]

_ORDER: Final = operator.attrgetter("end", "start", "key")
_START: Final = operator.attrgetter("start")

#: Few sessions are longer (ms).
LONG_MS: Final = 86_400_000
#: The first and the last time (ms) of a session.
Bounds = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Sessions:
    """Windows of the records of a key whose times differ by no more than a gap (ms), from the first to the last one.

    Raises:
        ValueError: for a negative gap.
    """

    gap: int

    def __post_init__(self) -> None:
        if self.gap < 0:
            raise ValueError(f"the gap of sessions must not be negative, but is {duration(self.gap)}")

    @property
    def kind(self) -> str:
        """What they are called in a declaration."""
        return "aggregates in sessions"

    @property
    def span(self) -> int:
        """How far (ms) the end of a session may be behind a record in it, as a rule: some go on for longer."""
        return max(self.gap, LONG_MS)

    def check(self, join: WindowedAggregate) -> None:
        """Raise a ValueError for aggregates that cannot be merged, as sessions are by a record between them."""
        for name, aggregate in join.aggregates.items():
            if not mergeable(aggregate):
                raise ValueError(f"{name}={aggregate} has no merge: sessions need it, since two may become one")

    def start(self, join: WindowedAggregate, state: State) -> Operator[Windowed]:
        """Begin, or go on, with what the state of a partition holds."""
        return SessionsOperator(join, self.gap, state)


def session(gap: Duration) -> Sessions:
    """Return sessions, each of which ends when nothing of its key came for longer than a gap: ``30m``, or ms."""
    return Sessions(milliseconds(gap))


class _Session:
    """A session of a key that is open."""

    __slots__ = (
        "changed", "count", "end", "key", "over", "places", "rows", "start", "states", "stored", "told", "untold"
    )  # fmt: skip

    def __init__(self, key: bytes, time: int, states: list[Held]) -> None:
        self.key = key
        self.start = self.end = time
        self.count = 0
        #: Of the aggregates, without `rows`: the records that came since, and where they stand.
        self.states = states
        self.rows = NO_ROWS
        self.places = NO_PLACES
        #: Whether it is to be written to the state, and with which start it is there.
        self.changed = False
        self.stored: int | None = None
        #: Whether an update is to tell of it, and the bounds that updates have told and not taken back.
        self.untold = False
        self.told: Sequence[Bounds] = ()
        #: Whether it is closed, or became a part of another one.
        self.over = False


class SessionsOperator(WindowOperator):
    """Aggregates in sessions of one partition."""

    def __init__(self, join: WindowedAggregate, gap: int, state: State) -> None:
        super().__init__(join, state, head=(int, int, bool, tuple[Bounds, ...]))
        self._gap = gap
        #: How far (ms) the clock may go past the end of a session.
        self._reach = gap + join.grace
        #: By key, in the order of their times: they are more than a gap apart.
        self._sessions: dict[bytes, list[_Session]] = {}
        #: When to look whether a session is over: an end that it had (ms), and a number that no other one has.
        self._ends: list[tuple[int, int, _Session]] = []
        self._next = 0
        #: Those to be written, and those to be told at the next tick.
        self._changed: list[_Session] = []
        self._untold: list[_Session] = []
        self._due = self._ticks.due
        for key, (end, count, untold, told), states in self._states.read(self._state):
            found = self._open(key[ordering.TIME :], ordering.time_of(key), states)
            found.end, found.count, found.stored = end, count, found.start
            if self._updates:
                found.untold, found.told = untold, told
                if untold:
                    self._untold.append(found)

    def process(self, batch: Batch) -> Output[Windowed]:
        """Put records into their sessions, and close those whose time has come."""
        clock, ledger, values, gap = self.clock, self._ledger, self._values, self._gap
        now, limit = clock.time, clock.wall.limit
        self._pass(now)
        sessions, received, counted = self._sessions, 0, 0
        number, placed, at_once = self.balance.received, self._states.placed, self._at_once
        for source, record in batch:
            received += 1
            key, timestamp = record.key, record.timestamp
            if key is None or record.value is None:
                self._reject(source, record)
                continue
            near: Sequence[_Session] = ()
            if opened := sessions.get(key):
                last = opened[-1]
                if timestamp < last.start:
                    near = _near(opened, timestamp, gap)
                elif timestamp <= last.end + gap:
                    near = (last,)
            if not near and timestamp + gap < now and timestamp + gap < (horizon := self._horizon.at(now)):
                ledger.late(self.balance, source, record, horizon - timestamp)
                continue
            try:
                row = values(record)
            except Refused as refused:
                ledger.rejected(self.balance, source, record, Reason.REFUSED, refused)
                continue
            counted += 1
            if not near:
                one = self._open(key, timestamp, self._states.initial())
            else:
                one = near[0] if len(near) == 1 else self._merge(near)
                if timestamp > one.end:
                    one.end = timestamp
                elif timestamp < one.start:
                    one.start = timestamp
            one.count += 1
            if one.rows:
                one.rows.append(row)
            else:
                one.rows = [row]
                if placed:
                    one.places = []
            if placed:
                one.places.append(Place(timestamp, number + received))
            if not one.changed:
                one.changed = True
                self._changed.append(one)
            if at_once:
                self._tell(one)
            if timestamp > now:
                if timestamp > limit:
                    clock.advance(timestamp)
                else:
                    now = timestamp
                    if now >= self._due:
                        self._pass(now)
        self.balance.received += received
        self.balance.pending += counted
        return self.advance(now)

    def explain(self, source: int, record: Record) -> Explanation:
        """Say what became of a record that was taken in, as far as the state tells."""
        if record.key is None or record.value is None:
            return self._rejected(record)
        clock, time = self.clock, record.timestamp
        sessions = self._sessions.get(record.key, ())
        found = next((one for one in sessions if one.start <= time <= one.end), None)
        return Explanation(
            verdict=Verdict.OVER if found is None else Verdict.PENDING,
            clock=clock.now,
            grace=self.join.grace,
            until=None if found is None else found.end + self._reach + 1,
            windows=None if found is None else [(found.start, found.end)],
            untold=Verdict.MATCHED,
            reasons=frozenset({Reason.LATE, Reason.REFUSED}),
        )

    def windows(self, key: bytes) -> Iterator[Windowed]:
        """Go through the open sessions of a key as they are now, the earliest first."""
        for one in sorted(self._sessions.get(key, ()), key=_ORDER):
            yield self._told(one, final=False)

    def _open(self, key: bytes, time: int, states: list[Held]) -> _Session:
        one = _Session(key, time, states)
        opened = self._sessions.get(key)
        if opened is None:
            self._sessions[key] = [one]
        else:
            bisect.insort(opened, one, key=_START)
        self._look_at(one)
        self._due = min(self._due, self._ends[0][0] + self._reach + 1)
        return one

    def _look_at(self, one: _Session) -> None:
        heapq.heappush(self._ends, (one.end, self._next, one))
        self._next += 1

    def _merge(self, sessions: Sequence[_Session]) -> _Session:
        one, *others = sessions
        self._fold(one)
        for other in others:
            self._fold(other)
            self._states.merge(one.states, other.states)
            one.end = max(one.end, other.end)
            one.count += other.count
            one.told = (*one.told, *other.told)
            self._forget(other)
        return one

    def _forget(self, one: _Session) -> None:
        """Have no such session any more."""
        one.over = True
        sessions = self._sessions[one.key]
        sessions.remove(one)
        if not sessions:
            del self._sessions[one.key]
        if one.stored is not None:
            self._changes[ordering.time(one.stored) + one.key] = None

    def _pass(self, now: int) -> None:
        """Close the sessions that the clock has passed, and tell of those that changed if there was a tick."""
        if now < self._due:
            return
        over, ends, before = [], self._ends, self._horizon.at(now) - self._gap
        while ends and ends[0][0] < before:
            end, _, one = heapq.heappop(ends)
            if one.over:
                continue
            if one.end > end:
                self._look_at(one)
            else:
                over.append(one)
        for one in sorted(over, key=_ORDER):
            self._close(one)
        if self._ticks.passed(now):
            for one in self._changed:
                self._fold(one)
            for one in sorted((one for one in self._untold if not one.over), key=_ORDER):
                self._tell(one)
            self._untold = []
        self._due = min(self._ticks.due, ends[0][0] + self._reach + 1 if ends else END)

    def _close(self, one: _Session) -> None:
        self._fold(one)
        if one.untold:
            self._withdraw(one)
        if (final := self.join.emission.final) or one.untold:
            self._ledger.results.append(self._told(one, final=final))
        self._forget(one)
        self.balance.pending -= one.count
        self.balance.matched += one.count

    def _fold(self, one: _Session) -> None:
        """Have the aggregates take the records that came."""
        if one.rows:
            self._states.add(one.states, one.rows, one.places)
            one.rows, one.places = NO_ROWS, NO_PLACES
            if self._updates and not one.untold:
                one.untold = True
                if not self._at_once:
                    self._untold.append(one)

    def _tell(self, one: _Session) -> None:
        self._fold(one)
        self._withdraw(one)
        self._ledger.results.append(self._told(one, final=False))
        one.told, one.untold = ((one.start, one.end),), False
        if not one.changed:
            one.changed = True
            self._changed.append(one)

    def _withdraw(self, one: _Session) -> None:
        """Say of the bounds that updates have told that there is no such session, unless they are still the same."""
        for start, end in sorted(one.told):
            if (start, end) != (one.start, one.end):
                self._ledger.results.append(Windowed(one.key, start, end, None, end, False))

    def _told(self, one: _Session, *, final: bool) -> Windowed:
        return Windowed(one.key, one.start, one.end, self._states.results(one.states), one.end, final)

    def _save(self) -> None:
        changes = self._changes
        for one in self._changed:
            one.changed = False
            if one.over:
                continue
            self._fold(one)
            if one.stored is not None and one.stored != one.start:
                changes[ordering.time(one.stored) + one.key] = None
            changes[ordering.time(one.start) + one.key] = self._states.row(
                (one.end, one.count, one.untold, one.told), one.states
            )
            one.stored = one.start
        self._changed = []


def _near(sessions: list[_Session], timestamp: int, gap: int) -> list[_Session]:
    """Return the sessions of a key that are at most a gap away from a time (ms); all that are, are two."""
    after = bisect.bisect_right(sessions, timestamp + gap, key=_START)
    first = after
    while first and sessions[first - 1].end + gap >= timestamp:
        first -= 1
    return sessions[first:after]
