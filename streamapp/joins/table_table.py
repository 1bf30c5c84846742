"""The table-table join: a table of the rows that two tables have for one key.

Either side's update gives a result, which is the new row of the joined table; a tombstone where there was one and
is none any more. Its timestamp is the larger one of the two rows'. (Kafka Streams' KTable-KTable join.)
"""

from __future__ import annotations

import dataclasses
from typing import Final

from streamapp.joins.clock import BEGINNING
from streamapp.joins.declared import LAYOUT, ROWS_APART, Declared, Described, changes, earlier, widened
from streamapp.joins.explanation import ANY, Explanation, candidate, explain_row
from streamapp.joins.held import Held
from streamapp.joins.how import How
from streamapp.joins.ledger import Accounting
from streamapp.joins.output import Joined, Output, Reason
from streamapp.joins.records import Batch, Record, Side
from streamapp.joins.rows import Row
from streamapp.joins.state import State
from streamapp.joins.table import Table
from streamapp.joins.versioned_table import VersionedTable

__all__ = ["TableTableJoin", "TableTableOperator"]

#: Of the state, those that versioned tables are in.
SECTIONS: Final = (b"left/", b"right/")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableTableJoin(Described):
    """Joins two tables by key.

    Args:
        how: whether there is a joined row where only one of the tables has one.
        left_history: how far back (ms) the left table keeps past rows, which makes it a versioned one: an update
            that is older than the current row gives no result. None = plain: the update that comes last counts.
        right_history: the same of the right table.

    Raises:
        ValueError: for a negative history.
    """

    how: How = How.INNER
    left_history: int | None = None
    right_history: int | None = None

    def __post_init__(self) -> None:
        if min(self.left_history or 0, self.right_history or 0) < 0:
            raise ValueError("a history must not be negative")

    def start(self, state: State) -> TableTableOperator:
        """Begin, or go on, with what the state holds."""
        return TableTableOperator(self, state)

    @property
    def tables(self) -> frozenset[int]:
        """The sources whose records are rows of a table."""
        return frozenset(Side)

    @property
    def plain(self) -> frozenset[int]:
        """Those of them whose table is a plain one."""
        return frozenset(side for side in Side if self._histories[side] is None)

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared."""
        left, right = ("plain" if history is None else "versioned" for history in self._histories)
        names = ("left_history", "right_history")
        fields = [name for name in names if getattr(self, name) is not None]
        layout = ROWS_APART if None in self._histories else LAYOUT
        return Declared.of(f"a join of a {left} table with a {right} table", self, "how", *fields, layout=layout)

    def take_over(self, was: TableTableJoin) -> list[str]:
        """Return what may be missing in the results, or raise a StateMismatch for rows that would have to go."""
        notes = widened(was.how, self.how)
        if any((new or 0) > (old or 0) for new, old in zip(self._histories, was._histories, strict=True)):
            told = changes(was, self, "left_history", "right_history")
            notes.append(f"{told}: updates that were beyond the history before stay so")
        return notes

    @property
    def _histories(self) -> tuple[int | None, int | None]:
        return self.left_history, self.right_history

    def joins(self, left: Row | None, right: Row | None) -> bool:
        """Tell whether these rows make a row of the joined table."""
        if left is None or right is None:
            return (left is not None and self.how.keeps(Side.LEFT)) or (
                right is not None and self.how.keeps(Side.RIGHT)
            )
        return True


class TableTableOperator(Accounting[Joined]):
    """A table-table join at work on one partition.

    All updates of both sides count in its balance; one is matched if the other table has a row for its key.
    """

    def __init__(self, join: TableTableJoin, state: State) -> None:
        self.join = join
        was, _ = earlier(state, join)
        super().__init__(state)
        self.tables = (
            _table(state, Side.LEFT, join.left_history, was.left_history),
            _table(state, Side.RIGHT, join.right_history, was.right_history),
        )

    def process(self, batch: Batch) -> Output[Joined]:
        """Apply updates in the order in which they are given."""
        for side, record in batch:
            self.balance.received += 1
            self.clock.advance(record.timestamp)
            self._update(side, record)
        return self.advance(BEGINNING)

    def advance(self, to: int) -> Output[Joined]:
        """Move the clock on to an event time (ms); no result waits for that."""
        self.clock.advance(to)
        for table in self.tables:
            table.tidy(None)
        return self._ledger.close()

    def explain(self, side: int, record: Record) -> Explanation:
        """Say why an update that was taken in joined, or did not: by the rows that the tables have now."""
        key = record.key or b""
        mine, other = self.tables[side], self.tables[1 - side].get(key)
        joined = [] if other is None else [candidate(1 - side, key, other, ANY)]
        late = (Reason.SUPERSEDED, Reason.EXPIRED) if mine.versioned else ()
        return explain_row(side, record, mine.get(key), joined, self.clock, late)

    def held(self, key: bytes) -> list[Held]:
        """Return the rows that the tables have for a key; of versioned ones the past ones, too."""
        return [one for side, table in enumerate(self.tables) for one in table.held(side, key)]

    def _update(self, side: int, record: Record) -> None:
        key, timestamp = record.key, record.timestamp
        if key is None:
            self._ledger.rejected(self.balance, side, record, Reason.NULL_KEY)
            return
        mine, other = self.tables[side], self.tables[1 - side].get(key)
        before = mine.get(key)
        outdated = mine.put(key, record.value, timestamp, record.offset)
        if outdated:
            self._ledger.rejected(self.balance, side, record, outdated)
            return
        now = None if record.value is None else Row(record.value, timestamp, record.offset)
        if other is None:
            self._ledger.unmatched(side, record)
        else:
            self.balance.matched += 1
            timestamp = max(timestamp, other.timestamp)
        if self.join.joins(*_sides(side, now, other)):
            self._ledger.results.append(Joined(key, *_sides(side, now, other), timestamp))
        elif self.join.joins(*_sides(side, before, other)):
            self._ledger.results.append(Joined(key, None, None, timestamp))


def _table(state: State, side: Side, history: int | None, was: int | None) -> Table | VersionedTable:
    if history is None:
        return Table.of(state, side)
    return VersionedTable(state.section(SECTIONS[side]), history, was=was)


def _sides(side: int, mine: Row | None, other: Row | None) -> tuple[Row | None, Row | None]:
    return (mine, other) if side == Side.LEFT else (other, mine)
