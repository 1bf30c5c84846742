"""The n-way stream-table join: each record of a stream with the rows of several tables at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import msgspec

from streamapp.joins.declared import Declared, Described, earlier, rebuilt
from streamapp.joins.records import Record
from streamapp.joins.rows import Row
from streamapp.joins.state import State
from streamapp.joins.stream_table import StreamTableJoin, StreamTableOperator

__all__ = ["Enriched", "NWayJoin"]


class Enriched(msgspec.Struct, frozen=True, gc=False):
    """A result: a record and its row in each of the tables, None where there is none."""

    key: bytes | None
    record: Record
    rows: list[Row | None]
    timestamp: int


@dataclasses.dataclass(frozen=True)
class NWayJoin(Described):
    """A stream joined with several tables; there is a result where each table has a row, or is joined left.

    A record counts as matched if it has a row in each table.

    Args:
        joins: one for each table, in the order of the rows in the result. What waits for one table waits for all: they
            share the grace.

    Raises:
        ValueError: for no join, or for different graces.
    """

    joins: tuple[StreamTableJoin, ...]

    def __post_init__(self) -> None:
        if not self.joins:
            raise ValueError("an n-way join needs at least one table")
        if len({join.grace for join in self.joins}) > 1:
            raise ValueError("the tables of an n-way join share one grace")

    def start(self, state: State) -> StreamTableOperator[Enriched]:
        """Begin, or go on, with what the state holds; records of source 0 are the stream, of n the n-th table."""
        was, _ = earlier(state, self)
        return StreamTableOperator(self.joins, state, _enriched, was=was.joins)

    @property
    def tables(self) -> frozenset[int]:
        """The sources whose records are rows of a table."""
        return frozenset(range(1, len(self.joins) + 1))

    @property
    def plain(self) -> frozenset[int]:
        """Those of them whose table is a plain one."""
        return frozenset(n for n, join in enumerate(self.joins, 1) if join.history is None)

    @property
    def waiting(self) -> int:
        """How far (ms) the clock may go past a record of the stream until its result is not to come any more."""
        return self.joins[0].waiting

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared."""
        each = [join.declared() for join in self.joins]
        settings = {f"{name}{n}": value for n, one in enumerate(each, 1) for name, value in one.settings.items()}
        kind = f"a join of a stream with tables ({', '.join(join.kind for join in self.joins)})"
        return Declared(kind, settings, max(one.layout for one in each))

    def written_by(self, declared: Declared) -> NWayJoin:
        """Return the join that wrote a state; a StateMismatch if there is none."""
        each = [
            rebuilt(
                join, Declared("", {name: declared.settings.get(f"{name}{n}") for name in join.declared().settings})
            )
            for n, join in enumerate(self.joins, 1)
        ]
        return NWayJoin(tuple(each))

    def take_over(self, was: NWayJoin) -> list[str]:
        """Return what may be missing in the results after the state of another such join is taken over."""
        pairs = enumerate(zip(self.joins, was.joins, strict=True), 1)
        return [f"table {n}, {note}" for n, (join, before) in pairs for note in join.take_over(before)]


def _enriched(records: Sequence[Record], tables: Sequence[Sequence[Row | None]]) -> list[Enriched]:
    each = zip(records, zip(*tables, strict=True), strict=True)
    return [Enriched(record.key, record, list(rows), record.timestamp) for record, rows in each]
