"""A task: a join at work on one partition, with its state in the partition of a table. (Kafka Streams' StreamTask.)"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from streamapp.joins import IdleTimeout, Join, Output, Row, State
from streamapp.joins.clock import END
from streamapp.joins.records import Batch as Records
from streamapp.joins.state import Changes
from streamapp.runtime.ahead import WallClock
from streamapp.runtime.batch import Batch
from streamapp.runtime.resumption import Begin
from streamapp.runtime.rows import Rows
from streamapp.runtime.uncommitted import Uncommitted
from streamapp.topology.provenance import TAKEN, Provenance
from streamapp.topology.redone import Redone

__all__ = ["RowStore", "Task"]

R = TypeVar("R")

NOTHING_KNOWN: Final[Mapping[str, Begin]] = MappingProxyType({})


class Task(Generic[R]):
    """One partition of a join.

    What the operator changes goes into the work on a batch. It keeps a part of its state in memory too, so it is of
    no use any more once work was given up (`stale`), and after an exception.

    Args:
        join: what runs.
        partition: of the table that has the state.
        rows: the same, as the work on a batch sees it.
        wall: bounds the event clock.
        provenance: where the records are from.
        idle_timeout: after how long (ms) without a record event time goes on by itself; None = never.
        begins: by topic, where it is read from.
    """

    def __init__(
        self,
        join: Join[R],
        partition: Uncommitted,
        rows: Rows,
        wall: WallClock,
        provenance: Provenance,
        idle_timeout: int | None = None,
        begins: Mapping[str, Begin] = NOTHING_KNOWN,
    ) -> None:
        self._join = join
        self._wall = wall
        self._partition = partition
        self._epoch = partition.epoch
        self._store = RowStore(rows)
        self._start()
        taken = self._store.get(TAKEN)
        provenance = provenance.placed({topic: begin.placement for topic, begin in begins.items()})
        self._provenance = provenance if taken is None else provenance.after(Provenance.decode(taken))
        #: Leaves out what the state has already.
        self.redone = Redone(self._provenance.taken, {topic: begin.offset for topic, begin in begins.items()})
        self._idle = None if idle_timeout is None else IdleTimeout(idle_timeout, _steady())
        self._note()

    def _start(self, *, strict: bool = False) -> None:
        wall = self._wall
        wall.refresh()
        wall.strict, wall.beyond = strict, None
        self._state = State(self._store, wall)
        self.operator = self._join.start(self._state)
        #: A stored event clock (ms) that is ahead of the wall clock by more than a record may be.
        self._beyond = None if strict else wall.beyond
        wall.strict = False

    def set_back(self, rows: Rows, batch: Batch) -> int | None:
        """Start anew without a stored event clock that is far ahead of the wall clock, if a batch tells it is wrong.

        An earlier version let any record move it so far. But it may also be the wall clock that is behind: then the
        records that come are ahead of it, too.

        Returns:
            that event clock (ms), if so.
        """
        if (stored := self._beyond) is None:
            return None
        self._wall.refresh()
        if stored <= self._wall.limit:
            self._beyond = None
            return None
        if min(batch.timestamps) > self._wall.limit:
            return None
        self._store.rows = rows
        self._start(strict=True)
        return stored

    def stale(self, partition: Uncommitted) -> bool:
        """Tell whether the operator knows other rows than this partition has."""
        return partition is not self._partition or partition.epoch != self._epoch

    def process(self, rows: Rows, batch: Records, taken: Mapping[str, int]) -> Output[R]:
        """Join records; the changes of the state go to the rows.

        Args:
            rows: of the partition.
            batch: the records.
            taken: by topic, the offset after the last one of them.
        """
        self._store.rows = rows
        self._wall.refresh()
        output = self._changed(self.operator.process(batch))
        self._provenance = self._provenance.with_taken(taken)
        self._store.write({TAKEN: self._provenance.encode()})
        self._note()
        return output

    def due(self) -> int | None:
        """Give the event time (ms) to move the clock to, if no record came for so long and something waits for that."""
        if self._idle is None or not self.operator.balance.pending:
            return None
        self._wall.refresh()
        due = self._idle.due(_steady())
        return None if due is None else min(due, self._wall.limit)

    def _note(self) -> None:
        """Take note that records came."""
        if self._idle is not None:
            clock, passed = self.operator.clock.now, self._wall.passed
            # All records so far may have been ahead of the wall clock.
            self._idle.seen(passed if clock is None and passed < END else clock, _steady())

    def advance(self, rows: Rows, to: int) -> Output[R]:
        """Move the event clock on to a time (ms); the changes of the state go to the rows."""
        self._store.rows = rows
        return self._changed(self.operator.advance(to))

    def _changed(self, output: Output[R]) -> Output[R]:
        self._store.timestamp = max(0, self.operator.clock.now or 0)
        self._state.commit()
        return output


def _steady() -> int:
    """Give the wall time (ms since some moment); it never goes back."""
    return time.monotonic_ns() // 1_000_000


class RowStore:
    """Rows of a table as the store of a state; each has the event time (ms) at which it was written."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.timestamp = 0

    def get(self, key: bytes, /) -> bytes | None:
        """Give the row of a key."""
        row = self.rows.get(key)
        return None if row is None else row.value

    def scan(self, start: bytes, stop: bytes | None, /) -> Iterator[tuple[bytes, bytes]]:
        """Give the rows with ``start <= key < stop`` in order; None is without end."""
        return ((key, row.value) for key, row in self.rows.scan(start, stop))

    def write(self, changes: Changes, /) -> None:
        """Write and delete rows."""
        self.rows.write({key: None if row is None else Row(row, self.timestamp) for key, row in changes.items()})
