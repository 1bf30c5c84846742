"""Buffers: records that wait until the clock has passed them, over restarts too."""

from __future__ import annotations

import bisect
import operator
from collections.abc import Iterable, Sequence
from typing import Final

from streamapp.joins.journal import Journal
from streamapp.joins.records import Buffered, Record
from streamapp.joins.state import State
from streamapp.joins.timeline import Timeline

__all__ = ["Buffer", "WindowBuffer"]

_TIME: Final = operator.attrgetter("timestamp")
_ORDER: Final = operator.attrgetter("timestamp", "key", "number")
#: Each time that a key has so many records more, those at its beginning that are over are looked for.
CLEARING: Final = 64


class Buffer:
    """Records in the order of their timestamps, written to the state with each batch.

    Args:
        state: a section of the state to keep them in.
        span: about how long (ms) a record waits.
        since: records in the state with a smaller timestamp (ms) are over.
    """

    def __init__(self, state: State, *, span: int, since: int) -> None:
        self._journal = Journal(state)
        self._timeline = Timeline(span // 64)
        self._added: list[Buffered] = []
        self._matched: list[Buffered] = []
        self._next = 0
        #: How many of the records have no match so far.
        self.waiting = 0
        for record in self._journal.read():
            self._next = record.number + 1
            if record.timestamp >= since:
                self.waiting += not record.matched
                self._place(record)

    def add(self, key: bytes, value: bytes, timestamp: int, offset: int, matched: bool = False) -> Buffered:
        """Put a record in."""
        record = Buffered(key, value, timestamp, offset, self._next, matched)
        self._next += 1
        self._added.append(record)
        if matched:
            self._matched.append(record)
        else:
            self.waiting += 1
        self._place(record)
        return record

    def _place(self, record: Buffered) -> None:
        self._timeline.add(record)

    def find(self, record: Record) -> Buffered | None:
        """Give what was kept of a record; None = it is not here."""
        return next((kept for kept in self._timeline.at(record.timestamp) if _same(kept, record)), None)

    def match(self, records: Iterable[Buffered]) -> int:
        """Note that records found a match; gives how many of them had none before."""
        before = self.waiting
        for record in records:
            if not record.matched:
                record.matched = True
                self._matched.append(record)
                self.waiting -= 1
        return before - self.waiting

    @property
    def calm(self) -> int:
        """A timestamp (ms) such that no older record is without a match; `END` if no record is."""
        return self._timeline.calm

    def take(self, before: int) -> list[Buffered]:
        """Take out the records whose timestamp is smaller than ``before`` (ms), in no order."""
        taken = self._timeline.take(before)
        for record in taken:
            self.waiting -= not record.matched
        return taken

    def release(self, before: int) -> list[Buffered]:
        """Take the same records out in the order of (timestamp, key, arrival)."""
        return sorted(self.take(before), key=_ORDER)

    def save(self, since: int) -> None:
        """Write down what was added and matched; records with a timestamp smaller than ``since`` (ms) are over."""
        self._journal.write(self._added, self._matched)
        self._journal.drop(since)
        self._added.clear()
        self._matched.clear()


class WindowBuffer(Buffer):
    """A buffer whose records are found by key and time, at the cost of their number and a logarithm."""

    def __init__(self, state: State, *, span: int, since: int) -> None:
        #: The records of a key in the order of (timestamp, arrival). Some at the beginning may be over.
        self._windows: dict[bytes, list[Buffered]] = {}
        self._over = since
        super().__init__(state, span=span, since=since)

    def _place(self, record: Buffered) -> None:
        self._timeline.add(record)
        window = self._windows.get(record.key)
        if window is None:
            self._windows[record.key] = [record]
            return
        if record.timestamp >= window[-1].timestamp:
            window.append(record)
        else:
            bisect.insort_right(window, record, key=_TIME)
        if len(window) % CLEARING == 0:
            self._clear(window)

    def between(self, key: bytes, first: int, last: int) -> Sequence[Buffered]:
        """Give the records of a key with ``first <= timestamp <= last`` (ms), in the order of (timestamp, arrival)."""
        window = self._windows.get(key)
        if window is None or window[-1].timestamp < first:
            return ()
        begin = bisect.bisect_left(window, first, key=_TIME)
        end = bisect.bisect_right(window, last, begin, key=_TIME)
        return window[begin:end]

    def at_or_before(self, key: bytes, timestamp: int) -> Buffered | None:
        """Give the latest record of a key up to a time (ms); of several at one time, the last to come."""
        window = self._windows.get(key, ())
        place = bisect.bisect_right(window, timestamp, key=_TIME)
        return window[place - 1] if place else None

    def at_or_after(self, key: bytes, timestamp: int) -> Buffered | None:
        """Give the earliest record of a key from a time (ms) on; of several at one time, the last to come."""
        window = self._windows.get(key, ())
        place = bisect.bisect_left(window, timestamp, key=_TIME)
        return self.at_or_before(key, window[place].timestamp) if place < len(window) else None

    def take(self, before: int) -> list[Buffered]:
        """Take out the records whose timestamp is smaller than ``before`` (ms), in no order."""
        taken = super().take(before)
        windows, self._over = self._windows, before
        for record in taken:
            window = windows.get(record.key)
            if window is not None and window[-1] is record:
                del windows[record.key]
        return taken

    def _clear(self, window: list[Buffered]) -> None:
        over = bisect.bisect_left(window, self._over, key=_TIME)
        if 2 * over > len(window):
            del window[:over]


def _same(kept: Buffered, record: Record) -> bool:
    return (kept.offset, kept.key, kept.value) == (record.offset, record.key, record.value)
