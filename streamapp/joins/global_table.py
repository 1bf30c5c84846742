"""A global table: one that every partition of a stream can look up, by any key.

It is not partitioned with the stream but whole on every worker, so no co-partitioning is needed. The price is
that the two are not aligned in time: a record joins what the table holds when it comes. (Kafka Streams'
GlobalKTable.)
"""

from __future__ import annotations

from collections.abc import Iterable

from streamapp.joins.ledger import Accounting
from streamapp.joins.output import Joined, Output
from streamapp.joins.records import Record, Side
from streamapp.joins.state import State
from streamapp.joins.table import Table

__all__ = ["GlobalTable"]


class GlobalTable(Accounting[Joined]):
    """A table that is fed on its own: `StreamTableJoin.start` takes it, and the join's ``key`` says what to look up."""

    def __init__(self, state: State) -> None:
        super().__init__(state, updates_from=Side.RIGHT)
        self._table = table = Table.of(state, Side.RIGHT)
        self.get, self.get_many, self.keys, self.at = table.get, table.get_many, table.keys, table.at

    def process(self, records: Iterable[Record]) -> Output[Joined]:
        """Apply updates; they have no results, but those without a key, or refused before, come out at the side."""
        self._ledger.apply(self._table, Side.RIGHT, records)
        return self._ledger.close()
