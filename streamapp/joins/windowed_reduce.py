"""A windowed reduce over both streams: the join that people write by hand.

The records of both sides go into tumbling or hopping windows; a function folds those of a key and a window into
one value, which is the result when the window closes. It joins what lies in one window, while a stream-stream
join pairs what is close: two records a millisecond apart can be in different tumbling windows. Where each pair is
in one window they agree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import msgspec

from streamapp.joins import ordering
from streamapp.joins.clock import BEGINNING
from streamapp.joins.declared import Declared, Described, StateMismatch, changes, earlier
from streamapp.joins.explanation import Explanation, Verdict, unusable
from streamapp.joins.held import Held
from streamapp.joins.hopping import starts
from streamapp.joins.horizon import Horizon
from streamapp.joins.ledger import Accounting, Refused
from streamapp.joins.output import Output, Reason
from streamapp.joins.records import Batch, Record
from streamapp.joins.state import State

__all__ = ["WindowedReduce", "WindowedReduceOperator", "WindowedValue"]

A = TypeVar("A")


class WindowedValue(msgspec.Struct, Generic[A], frozen=True):
    """A result: what the records of a key in ``start <= timestamp < end`` (ms) were reduced to.

    ``timestamp`` is that of the latest of them.
    """

    key: bytes
    start: int
    end: int
    value: A
    timestamp: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class WindowedReduce(Described, Generic[A]):
    """Reduces the records of both sides by key and window.

    Args:
        size: length of a window (ms).
        advance: from the start of one window to that of the next (ms); less than the size makes them hopping
            ones, which overlap. None = the size: tumbling ones.
        grace: how far (ms) a record may be behind the clock, which both sides share.
        initial: makes the value of a window without records.
        reduce: puts a record of a side into a value, and gives the value; `Refused`, raised before the value is
            changed, puts the record out at the side.
        value: the type of a value, for msgpack.

    Raises:
        ValueError: for windows that leave gaps, or a negative grace.
    """

    size: int
    grace: int
    initial: Callable[[], A]
    reduce: Callable[[A, int, Record], A]
    value: type[A]
    advance: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.step <= self.size:
            raise ValueError(f"windows of {self.size} ms cannot advance by {self.step} ms")
        if self.grace < 0:
            raise ValueError(f"the grace must not be negative, but is {self.grace} ms")

    @property
    def step(self) -> int:
        """From the start of one window to that of the next (ms)."""
        return self.size if self.advance is None else self.advance

    @property
    def waiting(self) -> int:
        """How far (ms) the clock may go past a record until none of its results is to come."""
        return self.size + self.grace

    def starts(self, timestamp: int) -> range:
        """Give the starts of the windows that hold a time (ms)."""
        return starts(timestamp, self.size, self.step)

    def start(self, state: State) -> WindowedReduceOperator[A]:
        """Begin, or go on, with what the state holds."""
        return WindowedReduceOperator(self, state)

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared."""
        return Declared.of("a reduce of windows", self, "size", "advance", "grace")

    def take_over(self, was: WindowedReduce[A]) -> list[str]:
        """Return what may be missing in the results after the state of another reduce is taken over.

        Raises:
            StateMismatch: if its windows are others.
        """
        if (was.size, was.step) != (self.size, self.step):
            raise StateMismatch(f"its windows are others: {changes(was, self, 'size', 'advance')}")
        if self.grace <= was.grace:
            return []
        return [f"{changes(was, self, 'grace')}: what was late before stays late"]


class _Window(Generic[A]):
    """A window of a key: its value, the time of its latest record, how many records have it as their first one."""

    __slots__ = ("firsts", "latest", "value")

    def __init__(self, value: A, latest: int = BEGINNING, firsts: int = 0) -> None:
        self.value = value
        self.latest = latest
        self.firsts = firsts


class WindowedReduceOperator(Accounting[WindowedValue[A]], Generic[A]):
    """A windowed reduce at work on one partition.

    All records of both sides count in its balance; one is matched when the first of its windows gives its result.
    """

    def __init__(self, join: WindowedReduce[A], state: State) -> None:
        self.join = join
        was, _ = earlier(state, join)
        super().__init__(state)
        self._horizon = Horizon(state, self.clock, join.grace, was.grace)
        self._state = state.section(b"windows/")
        #: Windows by start, then by key.
        self._windows: dict[int, dict[bytes, _Window[A]]] = {}
        self._changed: set[tuple[int, bytes]] = set()
        row_type: object = tuple[join.value, int, int]  # type: ignore[name-defined]
        decode = msgspec.msgpack.Decoder(row_type).decode
        try:
            for key, row in self._state.scan():
                windows = self._windows.setdefault(ordering.time_of(key), {})
                windows[key[ordering.TIME :]] = _Window(*decode(row))
        except msgspec.ValidationError as exc:
            raise StateMismatch(f"its values are not of {join.value!r}: {exc}") from None

    @property
    def waits(self) -> bool:
        """Whether a window is open; the first one of all its records may have given its result."""
        return bool(self._windows)

    def process(self, batch: Batch) -> Output[WindowedValue[A]]:
        """Put records into their windows, and close those whose time has come."""
        for side, record in batch:
            self.balance.received += 1
            late_by = self._horizon.time - record.timestamp
            if record.value is None:
                self._ledger.rejected(self.balance, side, record, Reason.NULL_VALUE)
            elif late_by > 0:
                self._ledger.late(self.balance, side, record, late_by)
            elif record.key is None:
                self._ledger.rejected(self.balance, side, record, Reason.NULL_KEY)
            else:
                self._add(record.key, side, record)
        return self.advance(BEGINNING)

    def advance(self, to: int) -> Output[WindowedValue[A]]:
        """Move the clock on to an event time (ms), as a record would that is of no key."""
        self.clock.advance(to)
        for start in sorted(start for start in self._windows if self._over(start)):
            for key, window in sorted(self._windows.pop(start).items()):
                self._close(start, key, window)
        for start, key in self._changed:
            window = self._windows[start][key]
            row = msgspec.msgpack.encode((window.value, window.latest, window.firsts))
            self._state.put(ordering.time(start) + key, row)
        self._changed.clear()
        return self._ledger.close()

    def explain(self, side: int, record: Record) -> Explanation:
        """Say what became of a record that was taken in, as far as the state tells: that of its first window."""
        clock, time = self.clock, record.timestamp
        if record.key is None or record.value is None:
            return unusable(record, clock, self.join.grace)
        until = self.join.starts(time)[0] + self.join.size + self.join.grace
        fate = Verdict.PENDING if until > clock.time else Verdict.MATCHED
        in_time = time >= self._horizon.time
        return Explanation(
            verdict=fate if in_time else Verdict.OVER,
            clock=clock.now,
            grace=self.join.grace,
            until=until,
            untold=fate,
            reasons=frozenset({Reason.REFUSED} if in_time else {Reason.LATE, Reason.REFUSED}),
        )

    def held(self, key: bytes) -> list[Held]:
        """Return nothing: records are not kept, but what their windows come to (`windows`)."""
        return []

    def windows(self, key: bytes) -> Iterator[WindowedValue[A]]:
        """Go through the open windows of a key, as their results would be now, the earliest first."""
        for start in sorted(self._windows):
            if (window := self._windows[start].get(key)) is not None:
                yield WindowedValue(key, start, start + self.join.size, window.value, window.latest)

    def _add(self, key: bytes, side: int, record: Record) -> None:
        starts = self.join.starts(record.timestamp)
        found = [self._windows.get(start, {}).get(key) or _Window(self.join.initial()) for start in starts]
        try:
            values = [self.join.reduce(window.value, side, record) for window in found]
        except Refused as refused:
            self._ledger.rejected(self.balance, side, record, Reason.REFUSED, refused)
            return
        for start, window, value in zip(starts, found, values, strict=True):
            window.value = value
            window.latest = max(window.latest, record.timestamp)
            window.firsts += start == starts[0]
            self._windows.setdefault(start, {})[key] = window
            self._changed.add((start, key))
        self.clock.advance(record.timestamp)
        self.balance.pending += 1

    def _over(self, start: int) -> bool:
        return start + self.join.size + self.join.grace <= self.clock.time

    def _close(self, start: int, key: bytes, window: _Window[A]) -> None:
        self._state.delete(ordering.time(start) + key)
        self._changed.discard((start, key))
        self.balance.pending -= window.firsts
        self.balance.matched += window.firsts
        end = start + self.join.size
        self._ledger.results.append(WindowedValue(key, start, end, window.value, window.latest))
