"""Tumbling and hopping windows at work on a partition."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from streamapp.joins import ordering
from streamapp.joins.clock import BEGINNING, END
from streamapp.joins.explanation import Explanation, Verdict
from streamapp.joins.ledger import Refused
from streamapp.joins.output import Output, Reason
from streamapp.joins.records import Batch, Record
from streamapp.joins.state import State
from streamapp.windows.aggregate import Held, Place, Value, scalar
from streamapp.windows.assignment import Assignment
from streamapp.windows.states import NO_PLACES, NO_ROWS, States
from streamapp.windows.unwritten import Unwritten
from streamapp.windows.window_operator import WindowOperator
from streamapp.windows.windowed import Windowed
from streamapp.windows.windowed_aggregate import WindowedAggregate

__all__ = ["TimeWindowsOperator"]

_BOUNDS: Final = operator.attrgetter("end", "start")
_KEY: Final = operator.attrgetter("key")


class _Window:
    """A window of a key."""

    __slots__ = ("changed", "firsts", "key", "latest", "places", "rows", "states", "stored", "untold")

    def __init__(self, key: bytes, states: list[Held]) -> None:
        self.key = key
        #: Of the aggregates, without `rows`: the records that came since, and where they stand.
        self.states = states
        self.rows = NO_ROWS
        self.places = NO_PLACES
        #: The time (ms) of the latest record, and how many have this as their first window.
        self.latest = BEGINNING
        self.firsts = 0
        #: Whether it is to be written to the state, whether it is there, and whether an update is to tell of it.
        self.changed = False
        self.stored = False
        self.untold = False


class _Open(dict[bytes, _Window]):
    """The windows of all keys from a start to an end (ms) that is to come; ``open[key]`` makes one."""

    __slots__ = ("_states", "changed", "end", "head", "start", "touched", "untold")

    def __init__(self, start: int, end: int, states: States) -> None:
        self.start = start
        self.end = end
        #: How the keys of their rows begin.
        self.head = ordering.time(start)
        self._states = states
        #: Those with records that are not in their aggregates yet; those to be written; those to be told.
        self.touched: list[_Window] = []
        self.changed: list[_Window] = []
        self.untold: list[_Window] = []

    def __missing__(self, key: bytes) -> _Window:
        window = self[key] = _Window(key, self._states.initial())
        return window

    def forget_untold(self) -> None:
        """Have no update tell of what changed so far."""
        for window in self.untold:
            window.untold = False
        self.untold = []

    def put(self, key: bytes, timestamp: int, row: Sequence[Value], place: Place | None) -> _Window:
        """Put a record into the window of a key; its place is left out if no aggregate asks for it."""
        window = self[key]
        rows = window.rows
        if rows:
            rows.append(row)
        else:
            window.rows = [row]
            self.touched.append(window)
            if place is not None:
                window.places = []
        if place is not None:
            window.places.append(place)
        if timestamp > window.latest:
            window.latest = timestamp
        return window


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
        #: What came since the windows were written, and whether that may be for longer than a batch.
        self._unwritten = Unwritten(join, state.section(b"pages/"))
        self._pages = not self._at_once and all(map(scalar, join.aggregates.values()))
        self._read_again()
        #: Whether windows are to be written: some were closed or told, or their rows are of another declaration.
        self._passed = self._was is not join

    @property
    def waits(self) -> bool:
        """Whether a window is open; the first one of all its records may have given its result."""
        return any(self._open.values())

    def process(self, batch: Batch) -> Output[Windowed]:
        """Put records into their windows, and close those whose time has come."""
        clock, ledger, values, unwritten = self.clock, self._ledger, self._values, self._unwritten
        placed, at_once, pages = self._states.placed, self._at_once, self._pages
        now, limit = clock.time, clock.wall.limit
        self._pass(now)
        low = high = due = received = counted = 0
        opened: list[_Open] = []
        partly, number = False, self.balance.received
        for source, record in batch:
            received += 1
            key, timestamp = record.key, record.timestamp
            if key is None or record.value is None:
                self._reject(source, record)
                continue
            if not low <= timestamp < high:
                low, high, opened, partly = self._pane(timestamp, now)
                due = self._due
            if not opened:
                ledger.late(self.balance, source, record, self._horizon.at(now) - timestamp)
                continue
            try:
                row = values(record)
            except Refused as refused:
                ledger.rejected(self.balance, source, record, Reason.REFUSED, refused)
                continue
            counted += 1
            place = Place(timestamp, number + received) if placed else None
            first = 1
            for windows in opened:
                windows.put(key, timestamp, row, place).firsts += first
                first = 0
            if pages:
                unwritten.keys.append(key)
                unwritten.times.append(timestamp)
                unwritten.rows.append(row)
            if partly:
                ledger.partly_late(source, record, self._horizon.at(now) - timestamp)
            if at_once:
                for windows in opened:
                    self._fold(windows)
                    self._tell(windows, windows.untold)
                    windows.untold = []
            if timestamp > now:
                if timestamp > limit:
                    clock.advance(timestamp)
                else:
                    now = timestamp
                    if now >= due:
                        self._pass(now)
                        low = high = 0
        self.balance.received += received
        self.balance.pending += counted
        return self.advance(now)

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
        for windows in sorted(self._open.values(), key=_BOUNDS):
            if key in windows:
                yield self._told(windows, windows[key], final=False)

    def _read_again(self) -> None:
        """Put the records on pages into the windows that they were put into when they came, which are still open."""
        records = list(self._unwritten.read())
        number = self.balance.received - len(records)
        horizon = max(self._ledger.reached - self._was.grace, self._horizon.floor)
        for key, timestamp, place, row in records:
            first = 1
            for start, end in self._assignment.pane(timestamp).windows:
                if end > horizon:
                    windows = self._opened(start, end)
                    windows.put(key, timestamp, row, Place(timestamp, number + place)).firsts += first
                    first = 0
        if self._was is self.join:
            return
        for windows in self._open.values():
            self._fold(windows)
            for window in windows.changed:
                self._states.begin(window.states, self._new)
            if not self._was.emission.updates:
                windows.forget_untold()

    def _pane(self, timestamp: int, now: int) -> tuple[int, int, list[_Open], bool]:
        """Return the times (ms) that are in the same windows, those that are open, and whether others are closed."""
        low, high, windows = self._assignment.pane(timestamp)
        horizon = self._horizon.at(now)
        opened = [self._opened(start, end) for start, end in windows if end > horizon]
        return low, high, opened, len(opened) < len(windows)

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
        for windows in sorted(self._open.values(), key=_BOUNDS):
            if windows.end <= horizon:
                del self._open[windows.start]
                self._close(windows)
        if self._ticks.passed(now):
            for windows in sorted(self._open.values(), key=_BOUNDS):
                self._fold(windows)
                self._tell(windows, sorted(windows.untold, key=_KEY))
                windows.untold = []
        ends = (windows.end + self.join.grace for windows in self._open.values())
        self._due = min(self._ticks.due, min(ends, default=END))

    def _close(self, windows: _Open) -> None:
        self._fold(windows)
        final, head = self.join.emission.final, windows.head
        for key, window in sorted(windows.items()):
            if final or window.untold:
                self._ledger.results.append(self._told(windows, window, final=final))
            if window.stored:
                self._changes[head + key] = None
            self.balance.pending -= window.firsts
            self.balance.matched += window.firsts

    def _fold(self, windows: _Open) -> None:
        """Have the aggregates take the records that came."""
        add, updates = self._states.add, self._updates
        for window in windows.touched:
            add(window.states, window.rows, window.places)
            window.rows, window.places = NO_ROWS, NO_PLACES
            if not window.changed:
                window.changed = True
                windows.changed.append(window)
            if updates and not window.untold:
                window.untold = True
                windows.untold.append(window)
        windows.touched = []

    def _tell(self, windows: _Open, untold: Iterable[_Window]) -> None:
        for window in untold:
            self._ledger.results.append(self._told(windows, window, final=False))
            window.untold = False
            if not window.changed:
                window.changed = True
                windows.changed.append(window)

    def _told(self, windows: _Open, window: _Window, *, final: bool) -> Windowed:
        values = self._states.results(window.states)
        return Windowed(window.key, windows.start, windows.end, values, window.latest, final)

    def _save(self) -> None:
        if self._pages and not self._passed:
            touched = sum([len(windows.touched) for windows in self._open.values()])
            if self._unwritten.keep(touched):
                return
        self._unwritten.written()
        self._passed = False
        row, changes = self._states.row, self._changes
        for windows in self._open.values():
            self._fold(windows)
            head = windows.head
            for window in windows.changed:
                changes[head + window.key] = row((window.latest, window.firsts, window.untold), window.states)
                window.changed, window.stored = False, True
            windows.changed = []
