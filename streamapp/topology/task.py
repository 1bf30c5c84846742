"""A task: a join at work on one partition, with its state in the partition of a table. (Kafka Streams' StreamTask.)"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from streamapp.joins import IdleTimeout, Join, Output, Row, State
from streamapp.joins.records import Batch
from streamapp.joins.state import Changes
from streamapp.stores.uncommitted import Rows, Uncommitted
from streamapp.topology.provenance import TAKEN, Provenance

__all__ = ["RowStore", "Task"]

R = TypeVar("R")


class Task(Generic[R]):
    """One partition of a join.

    What the operator changes goes into the work on a batch. It keeps a part of its state in memory too, so it is of
    no use any more once work was given up (`stale`), and after an exception.

    Args:
        join: what runs.
        partition: of the table that has the state.
        rows: the same, as the work on a batch sees it.
        provenance: where the records are from.
        idle_timeout: after how long (ms) without a record event time goes on by itself; None = never.
    """

    def __init__(
        self,
        join: Join[R],
        partition: Uncommitted,
        rows: Rows,
        provenance: Provenance,
        idle_timeout: int | None = None,
    ) -> None:
        self._partition = partition
        self._epoch = partition.epoch
        self._store = RowStore(rows)
        self._state = State(self._store)
        self.operator = join.start(self._state)
        taken = self._store.get(TAKEN)
        self._provenance = provenance if taken is None else provenance.with_taken(Provenance.decode(taken).taken)
        self._idle = None if idle_timeout is None else IdleTimeout(idle_timeout, _wall())
        self._note()

    def stale(self, partition: Uncommitted) -> bool:
        """Tell whether the operator knows other rows than this partition has."""
        return partition is not self._partition or partition.epoch != self._epoch

    def process(self, rows: Rows, batch: Batch, taken: Mapping[str, int]) -> Output[R]:
        """Join records; the changes of the state go to the rows.

        Args:
            rows: of the partition.
            batch: the records.
            taken: by topic, the offset after the last one of them.
        """
        self._store.rows = rows
        output = self._changed(self.operator.process(batch))
        self._provenance = self._provenance.with_taken(taken)
        self._store.write({TAKEN: self._provenance.encode()})
        self._note()
        return output

    def due(self) -> int | None:
        """Give the event time (ms) to move the clock to, if no record came for so long and something waits for that."""
        return self._idle.due(_wall()) if self._idle is not None and self.operator.balance.pending else None

    def _note(self) -> None:
        """Take note that records came."""
        if self._idle is not None:
            self._idle.seen(self.operator.clock.now, _wall())

    def advance(self, rows: Rows, to: int) -> Output[R]:
        """Move the event clock on to a time (ms); the changes of the state go to the rows."""
        self._store.rows = rows
        return self._changed(self.operator.advance(to))

    def _changed(self, output: Output[R]) -> Output[R]:
        self._store.timestamp = max(0, self.operator.clock.now or 0)
        self._state.commit()
        return output


def _wall() -> int:
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
