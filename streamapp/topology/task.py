"""A task: a join at work on one partition, with its state in the partition of a table. (Kafka Streams' StreamTask.)"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from streamapp.joins import IdleTimeout, Join, Output, Row, State
from streamapp.joins.clock import END
from streamapp.joins.records import Batch as Records
from streamapp.joins.state import Changes
from streamapp.joins.table import TracedRows
from streamapp.runtime.ahead import WallClock
from streamapp.runtime.batch import Batch
from streamapp.runtime.copies import Copies
from streamapp.runtime.resumption import Begin
from streamapp.runtime.rows import Rows
from streamapp.runtime.uncommitted import Uncommitted
from streamapp.runtime.work import Work
from streamapp.topology.corrections import SECTION, Corrections
from streamapp.topology.provenance import TAKEN, Provenance, Redone

__all__ = ["RowStore", "Task"]

R = TypeVar("R")


class Task(Generic[R]):
    """One partition of a join.

    What the operator changes goes into the work on a batch. It keeps a part of its state in memory too, so it is of
    no use any more once work was given up (`stale`), and after an exception.

    Args:
        join: what runs.
        rows: of the state.
        tables: the rows of plain tables, by source.
        wall: bounds the event clock.
        provenance: where the records are from.
        begins: by topic, where it is read from.
        idle_timeout: after how long (ms) without a record event time goes on by itself; None = never.
        traced: whether the offsets of the updates of plain tables are kept.
        copied: the topics whose records are copies (`Copies`).
    """

    def __init__(
        self,
        join: Join[R],
        rows: Rows,
        tables: Mapping[int, Rows],
        wall: WallClock,
        provenance: Provenance,
        begins: Mapping[str, Begin],
        *,
        idle_timeout: int | None,
        traced: bool,
        copied: Iterable[str] = (),
    ) -> None:
        self._join = join
        self._wall = wall
        self._tables = tables
        self._traced = traced
        self._rows = (rows, *tables.values())
        self._known = [(each.rows, each.rows.epoch) for each in self._rows]
        self._store = RowStore(rows)
        self._start()
        taken = self._store.get(TAKEN)
        provenance = provenance.placed({topic: begin.placement for topic, begin in begins.items()})
        self._provenance = provenance if taken is None else provenance.after(Provenance.decode(taken))
        self._copies = {topic: Copies(self._provenance.copies.get(topic, {})) for topic in copied}
        #: Leaves out what the state has already.
        offsets = {topic: begin.offset for topic, begin in begins.items()}
        self.redone = Redone(self._provenance.taken, offsets, self._copies)
        self._idle = None if idle_timeout is None else IdleTimeout(idle_timeout, _steady())
        self._note()

    def _start(self, *, strict: bool = False) -> None:
        wall = self._wall
        wall.refresh()
        wall.strict, wall.beyond = strict, None
        self._state = state = State(self._store, wall)
        state.tables = self._tables
        if self._traced:
            state.tables = {n: TracedRows(rows, state.section(b"updates%d/" % n)) for n, rows in self._tables.items()}
        self.operator = self._join.start(state)
        #: Which results are made of redriven records.
        self.corrections = Corrections(state.section(SECTION), self._join.waiting, self._join.tables)
        #: A stored event clock (ms) that is ahead of the wall clock by more than a record may be.
        self._beyond = None if strict else wall.beyond
        wall.strict = False

    def begin(self, work: Work) -> None:
        """Read and write rows as the work on a batch sees them from now on."""
        for rows in self._rows:
            rows.work = work

    def set_back(self, batch: Batch) -> int | None:
        """Start anew without a stored event clock that is far ahead of the wall clock, if a batch tells it is wrong.

        An earlier version let any record move it so far. But it may also be the wall clock that is behind: then the
        records that come are ahead of it, too. Returns that event clock (ms), if so.
        """
        if (stored := self._beyond) is None:
            return None
        self._wall.refresh()
        if stored <= self._wall.limit:
            self._beyond = None
            return None
        if min(batch.timestamps) > self._wall.limit:
            return None
        self._start(strict=True)
        return stored

    def stale(self, partitions: Sequence[Uncommitted]) -> bool:
        """Tell whether the operator knows other rows than these partitions of its tables have."""
        return [(each, each.epoch) for each in partitions] != self._known

    def process(self, batch: Records, taken: Mapping[str, int]) -> Output[R]:
        """Join records; `taken` has, by topic, the offset after the last one of them."""
        self._wall.refresh()
        output = self._changed(self.operator.process(batch))
        written = [source for source, rows in self._tables.items() if rows.written]
        self._provenance = self._provenance.with_taken(taken, written, self._copies)
        self._store.write({TAKEN: self._provenance.encode()})
        self._note()
        return output

    def write(self, records: Records) -> None:
        """Write the rows of updates that the state has taken in: it may be that their changelog lacks them."""
        for source, record in records:
            if source in self._tables and record.key is not None:
                row = None if record.value is None else Row(record.value, record.timestamp)
                self._tables[source].write({record.key: row})

    def due(self) -> int | None:
        """Return the event time (ms) to move the clock to, if no record came for so long and something waits for it."""
        if self._idle is None or not self.operator.waits:
            return None
        self._wall.refresh()
        due = self._idle.due(_steady())
        return None if due is None else min(due, self._wall.limit)

    def _note(self) -> None:
        if self._idle is not None:
            clock, passed = self.operator.clock.now, self._wall.passed
            # All records so far may have been ahead of the wall clock.
            self._idle.seen(passed if clock is None and passed < END else clock, _steady())

    def advance(self, to: int) -> Output[R]:
        """Move the event clock on to a time (ms); the changes of the state go into the work."""
        return self._changed(self.operator.advance(to))

    def rings(self) -> bool:
        """Tell whether something is due by the wall clock."""
        self._wall.refresh()
        return self.operator.due

    def ring(self) -> Output[R]:
        """Have done what is due by the wall clock; the changes of the state go into the work."""
        return self._changed(self.operator.process(()))

    def _changed(self, output: Output[R]) -> Output[R]:
        if self.corrections:
            output = self.corrections.settle(output, self.operator.clock.time)
        self._store.timestamp = max(0, self.operator.clock.now or 0)
        self._state.commit()
        return output


def _steady() -> int:
    """Return the wall time (ms since some moment); it never goes back."""
    return time.monotonic_ns() // 1_000_000


class RowStore:
    """Rows of a table as the store of a state; each has the event time (ms) at which it was written."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.timestamp = 0

    def get(self, key: bytes, /) -> bytes | None:
        """Return the row of a key."""
        row = self._rows.get(key)
        return None if row is None else row.value

    def scan(self, start: bytes, stop: bytes | None, /) -> Iterator[tuple[bytes, bytes]]:
        """Return the rows with ``start <= key < stop`` in order; None is without end."""
        return ((key, row.value) for key, row in self._rows.scan(start, stop))

    def write(self, changes: Changes, /) -> None:
        """Write and delete rows."""
        self._rows.write({key: None if row is None else Row(row, self.timestamp) for key, row in changes.items()})
