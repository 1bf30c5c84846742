"""Buffers: what a join keeps of a stream, over restarts too, and which records still wait for something."""

from __future__ import annotations

import operator
from typing import Final

from streamapp.joins.clock import BEGINNING
from streamapp.joins.journal import Journal
from streamapp.joins.records import Buffered, Record
from streamapp.joins.state import State
from streamapp.joins.timeline import Timeline

__all__ = ["Buffer"]

_ORDER: Final = operator.attrgetter("timestamp", "key", "number")


class Buffer:
    """Records, in a section of the state with each batch; those without a match wait in the order of their timestamps.

    The span is about how long (ms) a record waits.
    """

    def __init__(self, state: State, *, span: int) -> None:
        self._journal = Journal(state)
        self._timeline = Timeline(span // 64)
        self._added: list[Buffered] = []
        self._matched: list[Buffered] = []
        self._next = 0
        #: No record that was read from the state has a larger timestamp (ms).
        self._latest = BEGINNING
        #: How many of the records have no match so far.
        self.waiting = 0

    def restore(self, since: int, *, forget: bool = False) -> list[Buffered]:
        """Return the records in the state, but for those with a smaller timestamp (ms); to be done first of all.

        Those are forgotten for good if the next one who restores it would not know that they are over: where the clock
        is set back, or the join is another one.
        """
        records = [record for record in self._journal.read() if record.timestamp >= since]
        if forget:
            self._journal.forget(since)
        self._next = self._journal.next
        self._latest = max((record.timestamp for record in records), default=BEGINNING)
        for record in records:
            if not record.matched:
                self.waiting += 1
                self._timeline.add(record)
        return records

    def add(self, key: bytes, value: bytes, timestamp: int, offset: int, matched: bool = False) -> Buffered:
        """Put a record in."""
        record = Buffered(key, value, timestamp, offset, self._next, matched)
        self._next += 1
        self._added.append(record)
        if not matched:
            self.waiting += 1
            self._timeline.add(record)
        return record

    def find(self, record: Record) -> Buffered | None:
        """Give what was kept of a record that waits; None = it is not here."""
        return next((kept for kept in self._timeline.at(record.timestamp) if kept.is_of(record)), None)

    def of(self, key: bytes) -> list[Buffered]:
        """Return the records of a key that wait, in the order of their timestamps, by a look at all that wait."""
        found = [record for record in self._timeline if record.key == key and not record.matched]
        return sorted(found, key=_ORDER)

    def match(self, record: Buffered) -> None:
        """Note the first match of a record."""
        record.matched = True
        self.waiting -= 1
        self._matched.append(record)

    @property
    def calm(self) -> int:
        """A timestamp (ms) such that no older record is without a match; `END` if there are no records."""
        return self._timeline.calm

    def take(self, before: int) -> list[Buffered]:
        """Take out the records without a match whose timestamp is smaller than ``before`` (ms), in no order."""
        taken = [record for record in self._timeline.take(before) if not record.matched]
        self.waiting -= len(taken)
        return taken

    def release(self, before: int) -> list[Buffered]:
        """Take out the same, in the order of (timestamp, key, arrival)."""
        return sorted(self.take(before), key=_ORDER)

    def save(self, since: int, until: int, furthest: int = BEGINNING) -> None:
        """Write down what was added and matched; records with a smaller timestamp (ms) than `since` are over.

        None has a larger one than `until`, but for those that are ahead, and of these none one over `furthest`.
        """
        added = self._added
        first = self._next - len(added)
        matched = [record for record in self._matched if record.number < first]
        if max(furthest, self._latest) > until:
            # They go onto a page of their own, which has to stay for longer.
            far = [record for record in added if record.timestamp > until]
            marks = [record for record in matched if record.timestamp > until]
            self._journal.write(far, marks, max((record.timestamp for record in far + marks), default=until))
            added = [record for record in added if record.timestamp <= until]
            matched = [record for record in matched if record.timestamp <= until]
        self._journal.write(added, matched, until)
        self._journal.drop(since)
        self._added.clear()
        self._matched.clear()
