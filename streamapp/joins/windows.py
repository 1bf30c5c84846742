"""Windows: the records of each key in the order of their times, found by key and time."""

from __future__ import annotations

import bisect
import operator
from collections.abc import Sequence
from typing import Final, NamedTuple

from streamapp.joins.calendar import Calendar
from streamapp.joins.records import Buffered, Record

__all__ = ["Window", "Windows", "at_or_after", "at_or_before", "between", "find", "place"]

_TIME: Final = operator.attrgetter("timestamp")


class Window(NamedTuple):
    """The records of a key, of each side in the order of (timestamp, arrival); some at the beginning may be over."""

    left: list[Buffered]
    right: list[Buffered]
    #: One object for all records of the key: fewer to make, to keep and to free.
    key: bytes

    def side(self, side: int) -> list[Buffered]:
        """Give the records of a side."""
        return self.right if side else self.left


class Windows(dict[bytes, Window]):
    """The windows by key; ``windows[key]`` of a key that is not there makes one.

    A window is looked at when its last record may be over, and again later if others have come since: so keys that
    fall silent are forgotten, and a record costs nothing more when its time is over. `left` and `right` are how far
    (ms) the clock may go past a record of that side before it is over.
    """

    def __init__(self, left: int, right: int) -> None:
        super().__init__()
        self._reach = left, right
        self._calendar: Calendar[Window] = Calendar(max(left, right) // 16)
        #: Those that are not in the calendar yet.
        self._made: list[Window] = []

    def __missing__(self, key: bytes) -> Window:
        window = self[key] = Window([], [], key)
        self._made.append(window)
        return window

    def look(self, key: bytes) -> Window:
        """Give the window of a key, only for looking at it."""
        return self.get(key) or Window([], [], key)

    def tidy(self, now: int) -> None:
        """Forget records that are over when the clock shows `now` (ms)."""
        due, self._made = self._made, []
        due += self._calendar.take(now)
        left_reach, right_reach = self._reach
        for window in due:
            left, right, key = window
            _drop(left, now - left_reach)
            _drop(right, now - right_reach)
            sides = (left, left_reach), (right, right_reach)
            if ends := [records[-1].timestamp + reach for records, reach in sides if records]:
                # One that is ahead must not keep the others.
                self._calendar.add(min(max(ends), now + max(self._reach)), window)
            else:
                del self[key]


def _drop(records: list[Buffered], before: int) -> None:
    """Take out the records whose timestamp is smaller than ``before`` (ms)."""
    if records and records[0].timestamp < before:
        del records[: bisect.bisect_left(records, before, key=_TIME)]


def place(records: list[Buffered], record: Buffered) -> None:
    """Put a record where it belongs."""
    if not records or record.timestamp >= records[-1].timestamp:
        records.append(record)
    else:
        bisect.insort_right(records, record, key=_TIME)


def between(records: list[Buffered], first: int, last: int) -> Sequence[Buffered]:
    """Give the records with ``first <= timestamp <= last`` (ms), at the cost of their number and a logarithm."""
    if not records or records[-1].timestamp < first:
        return ()
    end = len(records) if records[-1].timestamp <= last else bisect.bisect_right(records, last, key=_TIME)
    # From the end: most records come in the order of their times, and what they join is the newest.
    begin = end
    while begin and records[begin - 1].timestamp >= first:
        begin -= 1
    return records[begin:end]


def find(records: list[Buffered], record: Record) -> Buffered | None:
    """Give what was kept of a record; None = it is not here."""
    same = between(records, record.timestamp, record.timestamp)
    return next((kept for kept in same if kept.is_of(record)), None)


def at_or_before(records: list[Buffered], timestamp: int) -> Buffered | None:
    """Give the latest record up to a time (ms); of several at one time, the last to come."""
    place = bisect.bisect_right(records, timestamp, key=_TIME)
    return records[place - 1] if place else None


def at_or_after(records: list[Buffered], timestamp: int) -> Buffered | None:
    """Give the earliest record from a time (ms) on; of several at one time, the last to come."""
    place = bisect.bisect_left(records, timestamp, key=_TIME)
    return at_or_before(records, records[place].timestamp) if place < len(records) else None
