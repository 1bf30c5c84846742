"""The stream-table join: each record of a stream with the row that a table has for its key.

Only the stream gives results, each with the timestamp of its record. A plain table joins the row that is current
when the record comes. A versioned one joins the row of the record's own time; with a grace the record waits
first, for updates that are late themselves: until the clock of the stream has gone on by as much. (Kafka Streams'
KStream-KTable join, with KIP-914 and KIP-923.)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Generic, TypeVar

from streamapp.joins.buffer import Buffer
from streamapp.joins.clock import BEGINNING, END
from streamapp.joins.declared import Declared, Described, changes, earlier
from streamapp.joins.explanation import (
    Candidate,
    Explanation,
    Lookup,
    Verdict,
    Window,
    candidate,
    explain_update,
    unusable,
)
from streamapp.joins.how import How
from streamapp.joins.ledger import Ledger, Refused, Refusing
from streamapp.joins.missing import REASONS, Missing
from streamapp.joins.output import Joined, Output, Reason
from streamapp.joins.records import Batch, Record, Side
from streamapp.joins.rows import Row
from streamapp.joins.state import State
from streamapp.joins.table import Table
from streamapp.joins.versioned_table import VersionedTable

__all__ = ["KeyOf", "StreamTableJoin", "StreamTableOperator"]

R = TypeVar("R")
T = TypeVar("T")
#: Gives the key to look a record's row up with; None joins nothing, `Refused` puts the record out at the side.
KeyOf = Callable[[Record], bytes | None]


@dataclasses.dataclass(frozen=True, slots=True)
class StreamTableJoin(Described):
    """A stream-table join, inner or left, whose rows live for `ttl` ms of event time (0 = for ever).

    A row is as old as the stream record's time less its own; it is expired once older than `ttl`. A row that
    is newer than the stream record is not expired: a plain table joins its current value.

    Args:
        how: whether a record without a row gives a result.
        ttl: how old (ms) a row may be.
        history: how far back (ms) past rows can be joined, which makes the table a versioned one; None = plain.
        grace: how long (ms of event time) a record waits for late updates, and how late it may be itself; None = not at
            all, and no record is late. Needs a history of at least as much.
        key: gives the key to look up, where that is not the record's own; not together with a grace.
        kept: how long (ms of event time) an expired row stays in the table, so that a record which asks for it is told
            as expired, and one that is behind finds it.

    Raises:
        ValueError: for settings that do not go together.
    """

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

    def missing(self, row: Row | None, timestamp: int) -> Missing | None:
        """Tell why a stream record of this event time (ms) does not join the row of its key; None = it joins."""
        if row is None:
            return Missing.ABSENT
        if 0 < self.ttl < timestamp - row.timestamp:
            return Missing.EXPIRED
        return None

    def match(
        self, records: Iterable[T], timestamps: Sequence[int], rows: Sequence[Row | None]
    ) -> tuple[Iterable[tuple[T, Row | None]], list[tuple[T, Missing]]]:
        """Join the records of a batch, which are not late, with the rows of a plain table.

        Args:
            records: of the stream.
            timestamps: their event times (ms).
            rows: for each of them, the row that the table has for its key.

        Returns:
            the records that give a result, each with its row, or None in a left join; and those without a row, each
            with the reason. Both are in order.
        """
        life = self.ttl or END
        if not [row for row, time in zip(rows, timestamps, strict=True) if row is None or time - row.timestamp > life]:
            return zip(records, rows, strict=True), []  # most batches are so; to ask for each record costs as a join
        found = list(zip(records, rows, map(self.missing, rows, timestamps), strict=True))
        matched = [
            (record, row if missing is None else None)
            for record, row, missing in found
            if missing is None or self.keeps_unmatched
        ]
        missed = [(record, missing) for record, _, missing in found if missing is not None]
        return matched, missed

    def expiry(self, now: int | None) -> int | None:
        """Give the event time (ms) before which rows are to be deleted; None = none are.

        Args:
            now: the event time (ms), but none that is still to come (`Clock.past`): rows are deleted for all records.
        """
        return now - self.ttl - self.kept if self.ttl and now is not None else None

    @property
    def keeps_unmatched(self) -> bool:
        """Whether a stream record that joins no row gives a result all the same."""
        return self.how is How.LEFT

    def table(self, state: State, was: StreamTableJoin) -> Table | VersionedTable:
        """Make the table, in a section of the state that another join wrote, which is of the same kind."""
        if self.history is None:
            return Table(state, aging=self.ttl > 0)
        return VersionedTable(state, self.history, aging=self.ttl > 0, was=was.history)

    def start(self, state: State, table: Lookup | None = None) -> StreamTableOperator[Joined]:
        """Begin, or go on, with what the state holds.

        Args:
            state: of this partition.
            table: a table that is kept elsewhere, as a `GlobalTable`; without it, the records of the right side
                are its updates.
        """
        if table is not None:
            return StreamTableOperator([self], state, _joined, tables=[table])
        was, _ = earlier(state, self)
        return StreamTableOperator([self], state, _joined, was=[was])

    @property
    def kind(self) -> str:
        """What kind of a table it is."""
        return "plain" if self.history is None else "versioned"

    @property
    def tables(self) -> frozenset[int]:
        """The sources whose records are rows of a table."""
        return frozenset({Side.RIGHT})

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared."""
        fields = ("how", "ttl", "grace") if self.history is None else ("how", "ttl", "history", "grace")
        return Declared.of(f"a join of a stream with a {self.kind} table", self, *fields)

    def take_over(self, was: StreamTableJoin) -> list[str]:
        """Return what may be missing in the results after the state of another such join is taken over."""
        notes = []
        if was.ttl and not 0 < self.ttl <= was.ttl:
            notes.append(f"{changes(was, self, 'ttl')}: rows that had expired before are gone")
        if (self.history or 0) > (was.history or 0):
            notes.append(f"{changes(was, self, 'history')}: past rows that were beyond the history before are gone")
        return notes

    def key_of(self, record: Record) -> bytes | None:
        """Give the key to look a record up with.

        Raises:
            Refused: by the function that gives the key.
        """
        return record.key if self.key is None else self.key(record)

    def window(self, timestamp: int) -> Window:
        """Give the times (ms) of the rows that a stream record of a time joins."""
        return timestamp - self.ttl if self.ttl else None, None if self.history is None else timestamp

    def candidates(self, record: Record, table: Lookup, source: int = Side.RIGHT) -> list[Candidate]:
        """Give the row that a record would join by now; if there is none, the one that its key has.

        Args:
            record: of the stream.
            table: to be looked up.
            source: the number of the table.

        Raises:
            Refused: by the function that gives the key.
        """
        key = self.key_of(record)
        row = None if key is None else table.at(key, record.timestamp) or table.at(key, END)
        if key is None or row is None:
            return []
        return [candidate(source, key, row, self.window(record.timestamp))]

    def find(self, record: Record, table: Lookup, now: int) -> tuple[Row | None, Missing | None]:
        """Look a record up in the table: its row, or why it has none.

        Args:
            record: of the stream.
            table: to be looked up.
            now: the event time (ms) by which rows are expired.

        Raises:
            Refused: by the function that gives the key.
        """
        key = self.key_of(record)
        if key is None:
            return None, Missing.NULL_KEY
        row = table.at(key, record.timestamp)
        missing = self.missing(row, now)
        return (row, None) if missing is None else (None, missing)


class StreamTableOperator(Refusing[R], Generic[R]):
    """A join of one stream with one table or more, at work on one partition.

    The records of the stream count in its balance, those of the tables in its updates.

    Args:
        joins: one for each table; they share the grace.
        state: of this partition.
        result: makes a result of a record and the rows of the tables.
        tables: tables that are kept elsewhere; without them, records whose source is n update the n-th table (from 1).
        was: the joins that wrote the state.
    """

    def __init__(
        self,
        joins: Sequence[StreamTableJoin],
        state: State,
        result: Callable[[Record, list[Row | None]], R],
        tables: Sequence[Lookup] | None = None,
        was: Sequence[StreamTableJoin] = (),
    ) -> None:
        was = was or joins
        self._joins = joins
        self._result = result
        self._ledger: Ledger[R] = Ledger(state, updates_from=1)
        self.clock, self.balance, self.updates = self._ledger.clock, self._ledger.balance, self._ledger.updates
        self._grace = joins[0].grace
        #: How long (ms) a record waits.
        self._patience = self._grace or 0
        self._buffer = Buffer(state.section(b"waiting/"), span=self._patience)
        # What the join that wrote the state was done with stays so, and it was not done with the rest.
        forget = self._ledger.set_back or was is not joins
        self._buffer.restore(_undecided(was[0], self._ledger.reached), forget=forget)
        #: The tables that are kept here.
        self.tables: Sequence[Table | VersionedTable] = (
            [join.table(state.section(b"table%d/" % n), was[n - 1]) for n, join in enumerate(joins, 1)]
            if tables is None
            else ()
        )
        self._lookups: Sequence[tuple[StreamTableJoin, Lookup]] = list(zip(joins, tables or self.tables, strict=True))

    @property
    def _undecided(self) -> int:
        """The earliest time (ms) of records which still wait for updates."""
        return _undecided(self._joins[0], self.clock.time)

    def process(self, batch: Batch) -> Output[R]:
        """Join records and apply updates in the order in which they are given."""
        if self._buffer.waiting:  # of what has waited long enough, if the grace was longer before
            self._release()
        for source, record in batch:
            if source == Side.LEFT:
                self._receive(record)
            else:
                self._update(source, record)
        return self.advance(BEGINNING)

    def advance(self, to: int) -> Output[R]:
        """Move the clock of the stream on to an event time (ms), as a record of it would."""
        self.clock.advance(to)
        self._release()
        self._buffer.save(self._undecided, self.clock.time, self.clock.furthest)
        for join, table in zip(self._joins, self.tables, strict=False):
            before = join.expiry(self.clock.past)
            table.tidy(BEGINNING if before is None else before - self._patience)
        self.balance.pending = self._buffer.waiting
        return self._ledger.close()

    def explain(self, source: int, record: Record) -> Explanation:
        """Say why a record that was taken in joined, or did not, as far as the state tells."""
        clock, grace, time = self.clock, self._grace, record.timestamp
        if source != Side.LEFT:
            table = self.tables[source - 1]
            return explain_update(source, record, table, clock, [Reason.EXPIRED] if table.versioned else ())
        try:
            null_key = record.value is not None and self._joins[0].key_of(record) is None
            tables = enumerate(self._lookups, 1) if record.value is not None else ()
            candidates = [found for number, (join, table) in tables for found in join.candidates(record, table, number)]
        except Refused as refused:
            return Explanation(verdict=Verdict.REFUSED, clock=clock.now, detail=str(refused))
        if record.value is None or null_key:
            return unusable(record, clock, grace)
        windows = {join.window(time) for join in self._joins}
        window = windows.pop() if len(windows) == 1 else None
        explain = partial(Explanation, clock=clock.now, grace=grace, window=window, candidates=candidates)
        if grace is not None and time + grace > clock.time:
            return explain(verdict=Verdict.PENDING, until=time + grace)
        possible = {
            Reason.UNMATCHED: True,
            Reason.EXPIRED: any(join.ttl for join in self._joins),
            Reason.NULL_KEY: any(join.key is not None for join in self._joins),
            Reason.LATE: grace is not None and time + grace < clock.time,
        }
        reasons = frozenset(reason for reason, may_be in possible.items() if may_be)
        return explain(verdict=Verdict.OVER, untold=Verdict.MATCHED, reasons=reasons)

    def keys(self, number: int) -> Iterator[bytes]:
        """Go through the keys of a table, from 1; to be left before the next change."""
        return self._lookups[number - 1][1].keys()

    def has(self, number: int, key: bytes) -> bool:
        """Tell whether a table, from 1, has a row for a key now."""
        return self._lookups[number - 1][1].at(key, END) is not None

    def _receive(self, record: Record) -> None:
        self.balance.received += 1
        if record.value is None:
            self._ledger.rejected(self.balance, Side.LEFT, record, Reason.NULL_VALUE)
        elif self._grace is None:
            if record.key is not None:
                self.clock.advance(record.timestamp)
            self._join(record)
        elif (late_by := self.clock.time - self._grace - record.timestamp) > 0:
            self._ledger.late(self.balance, Side.LEFT, record, late_by)
        elif record.key is None:
            self._join(record)
        else:
            self.clock.advance(record.timestamp)
            self._buffer.add(record.key, record.value, record.timestamp, record.offset)
            self._release()

    def _release(self) -> None:
        """Join the records that have waited long enough."""
        for record in self._buffer.release(self._undecided):
            self._join(record)

    def _join(self, record: Record) -> None:
        now = max(record.timestamp, self.clock.time - self._patience)
        rows: list[Row | None] = []
        emitted, missing = True, None
        try:
            for join, table in self._lookups:
                row, reason = join.find(record, table, now)
                rows.append(row)
                if reason is not None:
                    missing = missing or reason
                    emitted = emitted and join.keeps_unmatched
        except Refused as refused:
            self._ledger.rejected(self.balance, Side.LEFT, record, Reason.REFUSED, refused)
            return
        if emitted:
            self._ledger.results.append(self._result(record, rows))
        if missing is None:
            self.balance.matched += 1
        elif missing is Missing.NULL_KEY and not emitted:
            self._ledger.rejected(self.balance, Side.LEFT, record, Reason.NULL_KEY)
        else:
            self._ledger.unmatched(Side.LEFT, record, REASONS[missing])

    def _update(self, source: int, record: Record) -> None:
        if not self.tables:
            raise ValueError("the table of this join is kept elsewhere, and its updates belong there")
        self.updates.received += 1
        if record.key is None:
            self._ledger.rejected(self.updates, source, record, Reason.NULL_KEY)
        elif self.tables[source - 1].put(record.key, record.value, record.timestamp, record.offset) is Reason.EXPIRED:
            self._ledger.rejected(self.updates, source, record, Reason.EXPIRED)
        else:
            self.updates.applied += 1


def _undecided(join: StreamTableJoin, clock: int) -> int:
    """Return the earliest time (ms) of records which still wait for updates when the clock shows a time (ms)."""
    return END if join.grace is None else clock - join.grace + 1


def _joined(record: Record, rows: list[Row | None]) -> Joined:
    return Joined(record.key, record, rows[0], record.timestamp)
