"""A global table: one that every partition of a stream can look up, by any key.

It is not partitioned with the stream but whole on every worker, so no co-partitioning is needed. The price is
that the two are not aligned in time: a record joins what the table holds when it comes. (Kafka Streams'
GlobalKTable.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from streamapp.joins.ledger import Ledger, Refusing
from streamapp.joins.output import Joined, Output, Reason
from streamapp.joins.records import Record, Side
from streamapp.joins.rows import Row
from streamapp.joins.state import State
from streamapp.joins.table import Table

__all__ = ["GlobalTable"]


class GlobalTable(Refusing[Joined]):
    """A table that is fed on its own: `StreamTableJoin.start` takes it, and the join's ``key`` says what to look up."""

    def __init__(self, state: State) -> None:
        self._ledger: Ledger[Joined] = Ledger(state, updates_from=Side.RIGHT)
        self._table = Table(state.section(b"table/"))
        self.updates = self._ledger.updates

    def process(self, records: Iterable[Record]) -> Output[Joined]:
        """Apply updates; they have no results, but those without a key, or refused before, come out at the side."""
        for record in records:
            self.updates.received += 1
            if record.key is None:
                self._ledger.rejected(self.updates, Side.RIGHT, record, Reason.NULL_KEY)
            else:
                self._table.put(record.key, record.value, record.timestamp, record.offset)
                self.updates.applied += 1
        return self._ledger.close()

    def keys(self) -> Iterator[bytes]:
        """Go through the keys; to be left before the next change."""
        return self._table.keys()

    def get(self, key: bytes) -> Row | None:
        """Give the current row of a key."""
        return self._table.get(key)

    def at(self, key: bytes, timestamp: int) -> Row | None:
        """Give the row that a record of this time (ms) joins: the current one."""
        return self._table.get(key)
