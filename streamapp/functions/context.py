"""What a function with a state has at hand while it is called: the key's state, its timers, and where results go."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec

from streamapp.functions.record import TypedRecord, key_of, made_of
from streamapp.windows.aggregate import Value
from streamapp.windows.durations import Duration, milliseconds

__all__ = ["Context", "Emitted", "Timer"]

S = TypeVar("S")

#: A name of a timer may have so many bytes.
NAME_MAX_BYTES: Final = 255


class Timer(NamedTuple):
    """A timer of a key that is over.

    Args:
        key: whose timer it is.
        name: of the timer.
        time: for when it was set (ms): an event time, or a wall time.
        wall: whether it went by the wall clock.
    """

    key: bytes
    name: str
    time: int
    wall: bool = False


class Emitted(msgspec.Struct, frozen=True, gc=False):
    """A result of a function with a state.

    Args:
        record: what was emitted.
        home: the key for which the function was called.
        side: the side output that it is for; empty = none, it is a result.
        source: the number of the source that the record is from at which the function was called.
    """

    record: TypedRecord[Value]
    home: bytes
    side: str = ""
    source: int = 0

    @property
    def key(self) -> bytes | None:
        """The key."""
        return self.record.key

    @property
    def timestamp(self) -> int:
        """The event time (ms)."""
        return self.record.timestamp


class Change(NamedTuple):
    """A timer that is to be set or (without a time) cancelled, once the function is done."""

    wall: bool
    name: str
    time: int | None


class Context(Generic[S]):
    """The key's state, which may be changed in place or set, its timers, and `emit` for results.

    What a function does with it counts once the function has returned; if it raises, nothing of it does.
    """

    def __init__(self, sides: AbstractSet[str] | None, *, timers: bool) -> None:
        self._sides = sides
        self._timers = timers
        #: The key that the function is called for.
        self.key = b""
        #: Its state.
        self.state: S
        #: The event clock of the partition (ms).
        self.clock = 0
        #: The wall clock (ms).
        self.wall_clock = 0
        self._record: TypedRecord[Value] = TypedRecord(b"", None, 0)
        #: That of the timer for which the function is called: one that it sets for the same clock is later.
        self._timer: Timer | None = None
        self.emitted: list[tuple[str, TypedRecord[Value]]] = []
        self.changes: list[Change] = []

    def emit(
        self, value: Value, *, key: bytes | str | None = None, timestamp: int | None = None, side: str = ""
    ) -> None:
        """Give a result: a record, or a value for one with the key, time and headers of the record at hand.

        Args:
            value: of the result, which becomes JSON (bytes go as they are, None deletes), or a record.
            key: another one than that at hand.
            timestamp: another event time (ms).
            side: a side output, in place of the results.

        Raises:
            ValueError: for a side output that is not declared.
        """
        if self._sides is not None and side and side not in self._sides:
            raise ValueError(f"there is no side output {side!r}: .side({side!r}) says where it goes")
        record = made_of(self._record, value)
        if key is not None or timestamp is not None:
            record = made_of(
                record,
                record.replace(
                    key=record.key if key is None else key_of(key),
                    timestamp=record.timestamp if timestamp is None else timestamp,
                ),
            )
        self.emitted.append((side, record))

    def set_timer(self, name: str = "", *, at: int | None = None, after: Duration | None = None) -> None:
        """Set a timer by event time, in place of the one of this name: it is over once the event clock is past it.

        Args:
            name: a key has one timer of each name.
            at: an event time (ms).
            after: or how long after the record or the timer at hand.
        """
        self._set(name, at, after, self._record.timestamp, wall=False)

    def set_wall_timer(self, name: str = "", *, at: int | None = None, after: Duration | None = None) -> None:
        """Set a timer by the wall clock, in place of the one of this name.

        Args:
            name: a key has one timer of each name.
            at: a wall time (ms).
            after: or how long from now.
        """
        self._set(name, at, after, self.wall_clock, wall=True)

    def cancel_timer(self, name: str = "") -> None:
        """Forget the timers of this name, of both clocks, if there are any."""
        self.changes += [Change(wall, name, None) for wall in (False, True)]

    def _set(self, name: str, at: int | None, after: Duration | None, now: int, *, wall: bool) -> None:
        if not self._timers:
            raise ValueError("a timer is set, but there is nothing to call when it is over: process(…, on_timer=…)")
        if (at is None) == (after is None):
            raise ValueError("a timer is set either at a time or after a duration")
        if len(name.encode()) > NAME_MAX_BYTES:
            raise ValueError(f"the name of a timer has at most {NAME_MAX_BYTES} bytes, not {len(name.encode())}")
        time = now + milliseconds(after) if at is None else at
        if self._timer is not None and self._timer.wall == wall and time <= self._timer.time:
            raise ValueError(f"a timer of {self._timer.time} sets one for {time}: it would be over without end")
        self.changes.append(Change(wall, name, time))

    def begin(self, key: bytes, record: TypedRecord[Value], timer: Timer | None = None) -> None:
        """Have the function called for a record, or for a timer."""
        self.key, self._record, self._timer = key, record, timer
        self.emitted, self.changes = [], []
