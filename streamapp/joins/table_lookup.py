"""How records of a stream are looked up in a table: which row one joins, and why it joins none."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import compress
from typing import NamedTuple, Protocol, TypeVar

from streamapp.joins.clock import BEGINNING, END, Clock
from streamapp.joins.explanation import Candidate, Lookup, Window, candidate
from streamapp.joins.how import How
from streamapp.joins.output import Reason
from streamapp.joins.records import Record, Side
from streamapp.joins.rows import Row, Rows
from streamapp.joins.state import State
from streamapp.joins.table import Table
from streamapp.joins.versioned_table import VersionedTable

__all__ = ["Found", "KeyOf", "PlainLookup", "TableLookup", "look_up"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
#: Gives the key to look a record's row up with; None joins nothing, `Refused` puts the record out at the side.
KeyOf = Callable[[Record], bytes | None]


class PlainLookup(Lookup, Protocol):
    """A plain table that can be looked up, whoever keeps it."""

    def get_many(self, keys: Sequence[bytes], /) -> Sequence[Row | None]:
        """Return the rows of keys, in their order."""


class Run(Protocol[T_co]):
    """Records of a stream, which have keys and values; with columns."""

    @property
    def keys(self) -> Sequence[bytes]:
        """The records' keys."""

    @property
    def timestamps(self) -> Sequence[int]:
        """The records' event times (ms)."""

    def __iter__(self) -> Iterator[T_co]: ...


class Found(NamedTuple):
    """What a run of records finds in tables."""

    #: Of each table a row for each record.
    rows: Sequence[Sequence[Row | None]]
    #: The records that lack a row, by their places in the run; with the reason in the first table.
    missed: Mapping[int, Reason]
    #: Those of them that give no result.
    dropped: Collection[int]

    def kept(self, records: Sequence[T]) -> tuple[Sequence[T], Sequence[Sequence[Row | None]]]:
        """Return the records that give a result, and their rows."""
        if not self.dropped:
            return records, self.rows
        kept = [place not in self.dropped for place in range(len(records))]
        return list(compress(records, kept)), [list(compress(rows, kept)) for rows in self.rows]


@dataclasses.dataclass(frozen=True, slots=True)
class TableLookup:
    """The settings of a stream-table join, and what follows from them for a record; see `StreamTableJoin`."""

    how: How = How.INNER
    ttl: int = 0
    history: int | None = None
    grace: int | None = None
    key: KeyOf | None = None
    kept: int = 0

    def __post_init__(self) -> None:
        if self.how not in {How.INNER, How.LEFT}:
            raise ValueError(f"a stream-table join is inner or left, not {self.how}")
        if min(self.ttl, self.history or 0, self.grace or 0, self.kept) < 0:
            raise ValueError("ttl, history, grace and kept must not be negative")
        if self.grace is not None and (self.history is None or self.history < self.grace):
            raise ValueError(f"a grace of {self.grace} ms needs a versioned table with a history of at least as much")
        if self.grace is not None and self.key is not None:
            raise ValueError("a join with a grace looks the record's own key up")

    @property
    def keeps_unmatched(self) -> bool:
        """Whether a stream record that joins no row gives a result all the same."""
        return self.how is How.LEFT

    @property
    def kind(self) -> str:
        """What kind of a table it is."""
        return "plain" if self.history is None else "versioned"

    def missing(self, row: Row | None, timestamp: int, gone_before: int | None = None) -> Reason | None:
        """Return why a stream record of a time (ms) does not join the row of its key; None = it joins.

        Rows from before `gone_before` (ms) are to be deleted, as `expiry` says, though they may be there still.
        """
        if row is None:
            return Reason.UNMATCHED
        if 0 < self.ttl < timestamp - row.timestamp or (gone_before is not None and row.timestamp < gone_before):
            return Reason.EXPIRED
        return None

    def expiry(self, now: int | None) -> int | None:
        """Return the event time (ms) before which rows are to be deleted, by `Clock.past`; None = none are."""
        return now - self.ttl - self.kept - (self.grace or 0) if self.ttl and now is not None else None

    def match(
        self, records: Run[T], rows: Rows, clock: Clock
    ) -> tuple[Iterable[tuple[T, Row | None]], list[tuple[T, Reason]]]:
        """Join records, which are not late, with the rows of a plain table by their keys, and let the rows expire.

        The clock is that of the partition, and goes on with the records. Returns the records that give a result, each
        with its row, or None in a left join; and those without a row, each with the reason. Both are in order.
        """
        found = look_up([self], [rows], records.keys, records.timestamps, clock)
        rows.expire(self.expiry(clock.past))
        if not found.missed:  # most runs are so
            return zip(records, found.rows[0], strict=True), []
        listed = list(records)
        kept, (joined,) = found.kept(listed)
        return zip(kept, joined, strict=True), [(listed[place], reason) for place, reason in found.missed.items()]

    def lacking(
        self, rows: Sequence[Row | None], timestamps: Sequence[int], pasts: Sequence[int] | None
    ) -> dict[int, Reason]:
        """Return why records of these times (ms), whose keys have these rows, lack one, by their places.

        `pasts` is where `Clock.past` was after each of them; None = none of them can ask for a row that is to go.
        """
        life = self.ttl or END
        if pasts is None:
            if not [row for row, at in zip(rows, timestamps, strict=True) if row is None or at - row.timestamp > life]:
                return {}  # most runs are so; to ask for each record costs as much as a join
            gone: Iterable[int | None] = [None] * len(rows)
        else:
            gone = map(self.expiry, pasts)
        reasons = map(self.missing, rows, timestamps, gone)
        return {place: reason for place, reason in enumerate(reasons) if reason is not None}

    def table(self, state: State, source: int, was: TableLookup) -> Table | VersionedTable:
        """Make the table of a source, in a state that another join wrote, which is of the same kind."""
        if self.history is None:
            return Table.of(state, source, aging=self.ttl > 0)
        section = state.section(b"table%d/" % source)
        return VersionedTable(section, self.history, aging=self.ttl > 0, was=was.history)

    def key_of(self, record: Record) -> bytes | None:
        """Return the key to look a record up with; the function that gives it may raise `Refused`, here and below."""
        return record.key if self.key is None else self.key(record)

    def find(self, record: Record, table: Lookup, past: int | None) -> tuple[Row | None, Reason | None]:
        """Look a record up in the table when it is a time (ms, `Clock.past`): its row, or why it has none."""
        key = self.key_of(record)
        if key is None:
            return None, Reason.NULL_KEY
        row = table.at(key, record.timestamp)
        reason = self.missing(row, record.timestamp, self.expiry(past))
        return (row, None) if reason is None else (None, reason)

    def window(self, timestamp: int) -> Window:
        """Return the times (ms) of the rows that a stream record of a time joins."""
        return timestamp - self.ttl if self.ttl else None, None if self.history is None else timestamp

    def candidates(self, record: Record, table: Lookup, source: int = Side.RIGHT) -> list[Candidate]:
        """Return the row of a table, by its number, that a record would join by now; else the one that its key has."""
        key = self.key_of(record)
        row = None if key is None else table.at(key, record.timestamp) or table.at(key, END)
        if key is None or row is None:
            return []
        return [candidate(source, key, row, self.window(record.timestamp))]


class _Rows(Protocol):
    def get_many(self, keys: Sequence[bytes], /) -> Sequence[Row | None]: ...


def look_up(
    joins: Sequence[TableLookup],
    tables: Sequence[_Rows],
    keys: Sequence[bytes],
    timestamps: Sequence[int],
    clock: Clock,
) -> Found:
    """Look a run of records up in plain tables by their keys, at once; the clock of the partition goes on with them."""
    columns: list[Sequence[Row | None]] = []
    missed: dict[int, Reason] = {}
    dropped: set[int] = set()
    pasts = _pasts(clock, timestamps, min([join.kept for join in joins if join.ttl], default=END))
    for join, table in zip(joins, tables, strict=True):
        rows = table.get_many(keys)
        if lacking := join.lacking(rows, timestamps, pasts):
            rows = [None if place in lacking else row for place, row in enumerate(rows)]
            missed = {**lacking, **missed}
            if not join.keeps_unmatched:
                dropped.update(lacking)
        columns.append(rows)
    return Found(columns, missed if len(joins) == 1 else dict(sorted(missed.items())), dropped)


def _pasts(clock: Clock, timestamps: Sequence[int], kept: int) -> list[int] | None:
    """Move a clock on; returns where `Clock.past` was after each record, if one may be behind by more than is kept.

    A row that is to be deleted may still be there for a while: so that this makes no difference, it is not joined then.
    """
    latest = max(timestamps, default=BEGINNING)
    if kept == END or (max(latest, clock.time) - min(timestamps, default=END) <= kept and not clock.overdue):
        if latest > clock.wall.limit:
            clock.advance_over(timestamps)
        else:
            clock.advance(latest)
        return None
    pasts = []
    for timestamp in timestamps:
        clock.advance(timestamp)
        pasts.append(BEGINNING if clock.past is None else clock.past)
    return pasts
