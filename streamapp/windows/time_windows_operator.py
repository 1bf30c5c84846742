"""Tumbling and hopping windows at work on a partition."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import Final

from streamapp.joins import ordering
from streamapp.joins.clock import BEGINNING, END
from streamapp.joins.explanation import Explanation, Verdict
from streamapp.joins.ledger import Refused
from streamapp.joins.output import Output, Reason
from streamapp.joins.records import Batch, Record
from streamapp.joins.state import State
from streamapp.windows.aggregate import Held, Value, scalar
from streamapp.windows.assignment import Assignment
from streamapp.windows.chunks import Chunk, chunks, together
from streamapp.windows.pending import Arrived, Pages, Pending
from streamapp.windows.states import States
from streamapp.windows.window_operator import WindowOperator
from streamapp.windows.windowed import Windowed
from streamapp.windows.windowed_aggregate import WindowedAggregate

__all__ = ["TimeWindowsOperator"]

_BOUNDS: Final = operator.attrgetter("end", "start")
_KEY: Final = operator.attrgetter("key")


class _Window:
    """A window of a key."""

    __slots__ = ("changed", "firsts", "key", "latest", "states", "stored", "untold")

    def __init__(self, key: bytes, states: list[Held]) -> None:
        self.key = key
        #: Of the aggregates.
        self.states = states
        #: The time (ms) of the latest record, and how many have this as their first window.
        self.latest = BEGINNING
        self.firsts = 0
        #: Whether it is to be written to the state, whether it is there, and whether an update is to tell of it.
        self.changed = False
        self.stored = False
        self.untold = False


class _Open(dict[bytes, _Window]):
    """The windows of all keys from a start to an end (ms) that is to come; ``open[key]`` makes one."""

    __slots__ = ("_states", "changed", "end", "head", "start", "untold")

    def __init__(self, start: int, end: int, states: States) -> None:
        self.start = start
        self.end = end
        #: How the keys of their rows begin.
        self.head = ordering.time(start)
        self._states = states
        #: Those to be written; those to be told.
        self.changed: list[_Window] = []
        self.untold: list[_Window] = []

    def __missing__(self, key: bytes) -> _Window:
        window = self[key] = _Window(key, self._states.initial())
        return window

    def put(self, arrived: Arrived, firsts: int, *, updates: bool) -> None:
        """Have the aggregates of a key take records; this is the first window of so many of them."""
        window = self[arrived.key]
        self._states.add_columns(window.states, arrived.records, arrived.columns, arrived.places)
        window.firsts += firsts
        if arrived.latest > window.latest:
            window.latest = arrived.latest
        if not window.changed:
            window.changed = True
            self.changed.append(window)
        if updates and not window.untold:
            window.untold = True
            self.untold.append(window)

    def forget_untold(self) -> None:
        """Have no update tell of what changed so far."""
        for window in self.untold:
            window.untold = False
        self.untold = []


class TimeWindowsOperator(WindowOperator):
    """Aggregates in tumbling or hopping windows of one partition.

    All records count in its balance; one is matched when the first of its windows gives its last result.
    """

    def __init__(self, join: WindowedAggregate, assignment: Assignment, state: State) -> None:
        super().__init__(join, state, head=(int, int, bool))
        self._assignment = assignment
        #: The windows by start, and the time (ms) at which the first of them closes, or the next tick comes.
        self._open: dict[int, _Open] = {}
        self._due = self._ticks.due
        for key, (latest, firsts, untold), states in self._states.read(self._state):
            windows = self._open.get(start := ordering.time_of(key))
            if windows is None:
                windows = self._opened(start, assignment.pane(start).windows[-1][1])
            window = windows[key[ordering.TIME :]]
            window.states, window.latest, window.firsts, window.stored = states, latest, firsts, True
            if untold and self._updates:
                window.untold = True
                windows.untold.append(window)
        #: What is in no window yet, by the beginnings (ms) of panes; and what of it is in the state, if that may be.
        self._pending: dict[int, Pending[_Open]] = {}
        #: Whether a window needs no states, if it is over before it is written.
        self._stateless = not self._updates and not self._states.placed
        self._pages = Pages(join, state.section(b"pages/"))
        self._paged = not self._at_once and all(map(scalar, join.aggregates.values()))
        self._read_again()
        #: Whether windows are to be written: some were closed or told, or their rows are of another declaration.
        self._passed = self._was is not join

    @property
    def waits(self) -> bool:
        """Whether a window is open; the first one of all its records may have given its result."""
        return any(self._open.values()) or any(pending.keys for pending in self._pending.values())

    def process(self, batch: Batch) -> Output[Windowed]:
        """Put records into their windows, and close those whose time has come."""
        now = self.clock.time
        self._pass(now)
        for some in chunks(batch):
            chunk = None if self._at_once else together(some, self._values, self.clock, partial(self._in_time, now))
            now = self._one_by_one(some, now) if chunk is None else self._together(chunk, now)
        return self.advance(now)

    def _in_time(self, now: int, earliest: int, latest: int) -> bool:
        """Return whether all windows of records between two times (ms) are open, and stay so."""
        then = max(now, latest)
        return then < self._due and self._assignment.pane(earliest).windows[0][1] > self._horizon.at(then)

    def _together(self, chunk: Chunk, now: int) -> int:
        """Put records into their windows; returns the time (ms) that the clock shows then."""
        then = max(now, chunk.latest)
        first = self.balance.received + 1
        numbers = range(first, first + len(chunk.keys)) if self._states.placed else ()
        columns: list[Sequence[Value]] = [chunk.keys, chunk.times, numbers, *chunk.columns]
        while times := columns[1]:
            pending = self._pane(min(times), then)
            inside = [timestamp < pending.high for timestamp in times]
            if all(inside):
                pending.put(*columns)
                break
            pending.put(*[list(itertools.compress(column, inside)) for column in columns])
            columns = [list(itertools.compress(column, map(operator.not_, inside))) for column in columns]
        self.balance.received += len(chunk.keys)
        self.balance.pending += len(chunk.keys)
        return then

    def _one_by_one(self, batch: Iterable[tuple[int, Record]], now: int) -> int:
        """Put records in; returns the time (ms) that the clock shows then."""
        clock, ledger, values = self.clock, self._ledger, self._values
        placed, picked, limit = self._states.placed, self._states.picked, clock.wall.limit
        pending: Pending[_Open] = Pending(0, 0, (), 0, partly=False)
        for source, record in batch:
            self.balance.received += 1
            key, timestamp = record.key, record.timestamp
            if key is None or record.value is None:
                self._reject(source, record)
                continue
            if not pending.low <= timestamp < pending.high:
                pending = self._pane(timestamp, now)
            if not pending.windows:
                ledger.late(self.balance, source, record, self._horizon.at(now) - timestamp)
                continue
            try:
                row = values(record)
            except Refused as refused:
                ledger.rejected(self.balance, source, record, Reason.REFUSED, refused)
                continue
            self.balance.pending += 1
            pending.keys.append(key)
            pending.times.append(timestamp)
            for column, slot in picked:
                pending.columns[column].append(row[slot])
            if placed:
                pending.numbers.append(self.balance.received)
            if pending.partly:
                ledger.partly_late(source, record, self._horizon.at(now) - timestamp)
            if self._at_once:
                self._fold(pending)
                for windows in pending.windows:
                    self._tell(windows, windows.untold)
            if timestamp > limit:
                clock.advance(timestamp)
            elif timestamp > now:
                now = timestamp
                if now >= self._due:
                    self._pass(now)
                    pending = self._pane(timestamp, now)
        return now

    def explain(self, source: int, record: Record) -> Explanation:
        """Say what became of a record that was taken in, as far as the state tells: in its first window."""
        clock, windows = self.clock, self._assignment.pane(record.timestamp).windows
        if record.key is None or record.value is None:
            return self._rejected(record)
        horizon = self._horizon.time
        opened = [window for window in windows if window[1] > horizon]
        whole = len(opened) == len(windows)
        _, end = opened[0] if opened else windows[0]
        gone = {Reason.LATE, Reason.REFUSED, *([Reason.PARTLY_LATE] if len(windows) > 1 else [])}
        return Explanation(
            verdict=Verdict.PENDING if whole else Verdict.OVER,
            clock=clock.now,
            grace=self.join.grace,
            until=end + self.join.grace,
            windows=windows,
            untold=Verdict.MATCHED,
            reasons=frozenset({Reason.REFUSED} if whole else gone),
        )

    def windows(self, key: bytes) -> Iterator[Windowed]:
        """Go through the open windows of a key as they are now, the earliest first."""
        self._fold_all()
        for windows in sorted(self._open.values(), key=_BOUNDS):
            if key in windows:
                yield self._told(windows, windows[key], final=False)

    def _read_again(self) -> None:
        """Put the records on pages into the windows that they were put into when they came, which are still open."""
        records = list(self._pages.read())
        first = self.balance.received - len(records)
        horizon = max(self._ledger.reached - self._was.grace, self._horizon.floor)
        for key, timestamp, number, fields in records:
            pending = self._pane(timestamp, horizon=horizon)
            pending.keys.append(key)
            pending.times.append(timestamp)
            for column, value in zip(pending.columns, fields, strict=True):
                column.append(value)
            pending.numbers.append(first + number)
        self._fold_all()
        if self._was is not self.join:
            for windows in self._open.values():
                for window in windows.changed:
                    self._states.begin(window.states, self._new)
                if not self._was.emission.updates:
                    windows.forget_untold()

    def _pane(self, timestamp: int, now: int = 0, *, horizon: int | None = None) -> Pending[_Open]:
        """Return what is pending of the times that are in the same windows."""
        low, high, bounds = self._assignment.pane(timestamp)
        pending = self._pending.get(low)
        if pending is None:
            over = self._horizon.at(now) if horizon is None else horizon
            opened = [self._opened(start, end) for start, end in bounds if end > over]
            pending = self._pending[low] = Pending(
                low, high, opened, len(self._states.picked), partly=len(opened) < len(bounds)
            )
        return pending

    def _opened(self, start: int, end: int) -> _Open:
        windows = self._open.get(start)
        if windows is None:
            windows = self._open[start] = _Open(start, end, self._states)
            self._due = min(self._due, end + self.join.grace)
        return windows

    def _pass(self, now: int) -> None:
        """Close the windows that the clock has passed, and tell of those that changed if there was a tick."""
        if now < self._due:
            return
        self._passed = True
        horizon = self._horizon.at(now)
        whole = self._fold_until(horizon)
        for windows in sorted(self._open.values(), key=_BOUNDS):
            if windows.end <= horizon:
                del self._open[windows.start]
                if windows.start in whole:
                    self._close_whole(windows, whole[windows.start])
                else:
                    self._close(windows)
        if self._ticks.passed(now):
            for windows in sorted(self._open.values(), key=_BOUNDS):
                self._tell(windows, sorted(windows.untold, key=_KEY))
        ends = (windows.end + self.join.grace for windows in self._open.values())
        self._due = min(self._ticks.due, min(ends, default=END))

    def _fold_until(self, horizon: int) -> dict[int, Pending[_Open]]:
        """Have the aggregates take what is pending of windows that end by then (ms); of all, if there are updates.

        Returns by start (ms) those of which all records are pending: these need no states.
        """
        whole = {}
        for low, pending in list(self._pending.items()):
            if not pending.keys:
                del self._pending[low]
            elif self._updates or any(windows.end <= horizon for windows in pending.windows):
                del self._pending[low]
                first = pending.windows[0]
                if self._stateless and first.end == pending.high and first.start == low and not first:
                    whole[low] = pending
                else:
                    self._fold(pending)
        return whole

    def _close_whole(self, windows: _Open, pending: Pending[_Open]) -> None:
        keys, counts, columns, latest, _ = zip(*sorted(pending.take()), strict=True)
        values = self._states.values(counts, list(zip(*columns, strict=True)))
        start, end = repeat(windows.start), repeat(windows.end)
        self._ledger.results += map(Windowed, keys, start, end, values, latest, repeat(True))
        self.balance.pending -= sum(counts)
        self.balance.matched += sum(counts)

    def _close(self, windows: _Open) -> None:
        final, head = self.join.emission.final, windows.head
        for key, window in sorted(windows.items()):
            if final or window.untold:
                self._ledger.results.append(self._told(windows, window, final=final))
            if window.stored:
                self._changes[head + key] = None
            self.balance.pending -= window.firsts
            self.balance.matched += window.firsts

    def _fold_all(self) -> None:
        """Have the aggregates take all that is pending."""
        for pending in self._pending.values():
            self._fold(pending)
        self._pending = {}

    def _fold(self, pending: Pending[_Open]) -> None:
        for arrived in pending.take():
            firsts = arrived.records
            for windows in pending.windows:
                windows.put(arrived, firsts, updates=self._updates)
                firsts = 0

    def _tell(self, windows: _Open, untold: Iterable[_Window]) -> None:
        for window in untold:
            self._ledger.results.append(self._told(windows, window, final=False))
            if not window.changed:
                window.changed = True
                windows.changed.append(window)
        windows.forget_untold()

    def _told(self, windows: _Open, window: _Window, *, final: bool) -> Windowed:
        values = self._states.results(window.states)
        return Windowed(window.key, windows.start, windows.end, values, window.latest, final)

    def _save(self) -> None:
        if self._paged and self._passed and not any(windows.changed for windows in self._open.values()):
            self._pages.drop()
            for pending in self._pending.values():
                pending.unwritten()
            self._passed = False
        if self._paged and not self._passed and self._pages.keep(self._pending.values()):
            return
        self._pages.drop()
        self._passed = False
        self._fold_all()
        row, changes = self._states.row, self._changes
        for windows in self._open.values():
            head = windows.head
            for window in windows.changed:
                changes[head + window.key] = row((window.latest, window.firsts, window.untold), window.states)
                window.changed, window.stored = False, True
            windows.changed = []
