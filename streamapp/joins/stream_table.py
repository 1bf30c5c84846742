"""The stream-table join: each record of a stream with the row that a table has for its key.

Only the stream gives results, each with the timestamp of its record. A plain table joins the row that is current
when the record comes. A versioned one joins the row of the record's own time; with a grace the record waits
first, for updates that are late themselves: until the clock of the stream has gone on by as much. (Kafka Streams'
KStream-KTable join, with KIP-914 and KIP-923.)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Final, Generic, TypeVar

from streamapp.joins.buffer import Buffer
from streamapp.joins.clock import BEGINNING, END
from streamapp.joins.corrections import mark_of
from streamapp.joins.declared import LAYOUT, ROWS_APART, Declared, Described, changes, earlier
from streamapp.joins.explanation import Explanation, Lookup, Verdict, explain_update, unusable
from streamapp.joins.held import Held, buffered
from streamapp.joins.ledger import Accounting, Refused
from streamapp.joins.output import Joined, Output, Reason
from streamapp.joins.records import Batch, Record, Side
from streamapp.joins.rows import Row
from streamapp.joins.state import State
from streamapp.joins.table import Table
from streamapp.joins.table_lookup import KeyOf, PlainLookup, TableLookup, look_up
from streamapp.joins.versioned_table import VersionedTable

__all__ = ["KeyOf", "StreamTableJoin", "StreamTableOperator"]

R = TypeVar("R")
#: Makes the results of records and the rows of the tables, of each table one for each record.
MakeResults = Callable[[Sequence[Record], Sequence[Sequence[Row | None]]], list[R]]
SOURCE: Final = itemgetter(0)


@dataclasses.dataclass(frozen=True, slots=True)
class StreamTableJoin(TableLookup, Described):
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
        kept: how long (ms of event time) a row stays in the table once it is expired by the clock, so that a record
            which asks for it is told as expired, and one that is behind finds it.

    Raises:
        ValueError: for settings that do not go together.
    """

    def start(self, state: State, table: PlainLookup | None = None) -> StreamTableOperator[Joined]:
        """Begin, or go on; a table may be kept elsewhere, as a `GlobalTable`, or the right side is its updates."""
        if table is not None:
            return StreamTableOperator([self], state, _joined, tables=[table])
        was, _ = earlier(state, self)
        return StreamTableOperator([self], state, _joined, was=[was])

    @property
    def tables(self) -> frozenset[int]:
        """The sources whose records are rows of a table."""
        return frozenset({Side.RIGHT})

    @property
    def plain(self) -> frozenset[int]:
        """Those of them whose table is a plain one."""
        return self.tables if self.history is None else frozenset()

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared."""
        fields = ("how", "ttl", "grace") if self.history is None else ("how", "ttl", "history", "grace")
        layout = ROWS_APART if self.history is None else LAYOUT
        return Declared.of(f"a join of a stream with a {self.kind} table", self, *fields, layout=layout)

    @property
    def waiting(self) -> int:
        """How far (ms) the clock may go past a record of the stream until its result is not to come any more."""
        return self.grace or 0

    def take_over(self, was: StreamTableJoin) -> list[str]:
        """Return what may be missing in the results after the state of another such join is taken over."""
        notes = []
        if was.ttl and not 0 < self.ttl <= was.ttl:
            notes.append(f"{changes(was, self, 'ttl')}: rows that had expired before are gone")
        if (self.history or 0) > (was.history or 0):
            notes.append(f"{changes(was, self, 'history')}: past rows that were beyond the history before are gone")
        return notes


class StreamTableOperator(Accounting[R], Generic[R]):
    """A join of one stream with one table or more, at work on one partition.

    The records of the stream count in its balance, those of the tables in its updates. There is one join for a table;
    they share the grace, and `was` are those that wrote the state. Unless the tables are kept elsewhere, records whose
    source is n update the n-th one (from 1).
    """

    def __init__(
        self,
        joins: Sequence[TableLookup],
        state: State,
        results: MakeResults[R],
        tables: Sequence[PlainLookup] | None = None,
        was: Sequence[TableLookup] = (),
    ) -> None:
        was = was or joins
        self._joins = joins
        self._results = results
        super().__init__(state, updates_from=1)
        self._grace = joins[0].grace
        self._buffer = Buffer(state.section(b"waiting/"), span=self._grace or 0)
        # What the join that wrote the state was done with stays so, and it was not done with the rest.
        forget = self._ledger.set_back or was is not joins
        self._buffer.restore(_undecided(was[0], self._ledger.reached), forget=forget)
        #: The tables that are kept here.
        self.tables: Sequence[Table | VersionedTable] = (
            [join.table(state, n, was[n - 1]) for n, join in enumerate(joins, 1)] if tables is None else ()
        )
        self._lookups: Sequence[Lookup] = self.tables if tables is None else tables
        #: The same, if they are plain, and a run of records is looked up in them at once; else there is none.
        self._plain = tables or [table for table in self.tables if isinstance(table, Table)]
        if len(self._plain) < len(joins) or (len(joins) > 1 and any(join.key is not None for join in joins)):
            self._plain = ()

    @property
    def _undecided(self) -> int:
        return _undecided(self._joins[0], self.clock.time)

    def process(self, batch: Batch) -> Output[R]:
        """Join records and apply updates in the order in which they are given."""
        if self._buffer.waiting:  # of what has waited long enough, if the grace was longer before
            self._release()
        for source, run in groupby(batch, SOURCE):
            records = [record for _, record in run]
            if source != Side.LEFT:
                self._update(source, records)
            elif self._plain and (keys := self._keys(records)) is not None:
                self._join_run(records, keys)
            else:
                for record in records:
                    self._receive(record)
        return self.advance(BEGINNING)

    def advance(self, to: int) -> Output[R]:
        """Move the clock of the stream on to an event time (ms), as a record of it would."""
        self.clock.advance(to)
        self._release()
        self._buffer.save(self._undecided, self.clock.time, self.clock.furthest)
        for join, table in zip(self._joins, self.tables, strict=False):
            table.tidy(join.expiry(self.clock.past))
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
            tables = zip(self._joins, self._lookups, strict=True) if record.value is not None else ()
            candidates = [
                found
                for number, (join, table) in enumerate(tables, 1)
                for found in join.candidates(record, table, number)
            ]
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

    def held(self, key: bytes) -> list[Held]:
        """Return the records of a key that wait, and its rows in the tables that are kept here."""
        waiting = buffered(Side.LEFT, self._buffer.of(key), (self._grace or 0) - 1, pending=True)
        return [*waiting, *(one for n, table in enumerate(self.tables, 1) for one in table.held(n, key))]

    def keys(self, number: int) -> Iterator[bytes]:
        """Go through the keys of a table, from 1; to be left before the next change."""
        return self._lookups[number - 1].keys()

    def has(self, number: int, key: bytes) -> bool:
        """Tell whether a table, from 1, has a row for a key now."""
        return self._lookups[number - 1].at(key, END) is not None

    def _keys(self, records: Sequence[Record]) -> list[bytes] | None:
        """Return the keys to look a run of records up with; None if one of them cannot be joined, or is refused."""
        keys = [key for record in records if (key := record.key) is not None and record.value is not None]
        key_of = self._joins[0].key
        if key_of is not None and len(keys) == len(records):
            try:
                keys = [key for record in records if (key := key_of(record)) is not None]
            except Refused:
                return None
        return keys if len(keys) == len(records) else None

    def _join_run(self, records: Sequence[Record], keys: Sequence[bytes]) -> None:
        found = look_up(self._joins, self._plain, keys, [record.timestamp for record in records], self.clock)
        kept, rows = found.kept(records)
        self._ledger.results += self._results(kept, rows)
        self.balance.received += len(records)
        self.balance.matched += len(records) - len(found.missed)
        for place, reason in found.missed.items():
            self._ledger.unmatched(Side.LEFT, records[place], reason)

    def _receive(self, record: Record) -> None:
        self.balance.received += 1
        if record.value is None:
            self._ledger.rejected(self.balance, Side.LEFT, record, Reason.NULL_VALUE)
        elif self._grace is None:
            if record.key is not None:
                self.clock.advance(record.timestamp)
            self._join(record)
        elif (late_by := self.clock.time - self._grace - record.timestamp) > 0:
            if self._corrects(record):
                self._join(record)
            else:
                self._ledger.late(self.balance, Side.LEFT, record, late_by)
        elif record.key is None:
            self._join(record)
        else:
            self.clock.advance(record.timestamp)
            self._buffer.add(record.key, record.value, record.timestamp, record.offset)
            self._release()

    def _corrects(self, record: Record) -> bool:
        """Return whether a redriven record that is late finds the rows of its own time: the history reaches back."""
        return mark_of(record) is not None and all(
            isinstance(table, VersionedTable) and table.reaches(record.timestamp) for table in self.tables
        )

    def _release(self) -> None:
        """Join the records that have waited long enough."""
        for record in self._buffer.release(self._undecided):
            self._join(record)

    def _join(self, record: Record) -> None:
        rows: list[Row | None] = []
        emitted, missing = True, None
        try:
            for join, table in zip(self._joins, self._lookups, strict=True):
                row, reason = join.find(record, table, self.clock.past)
                rows.append(row)
                if reason is not None:
                    missing = missing or reason
                    emitted = emitted and join.keeps_unmatched
        except Refused as refused:
            self._ledger.rejected(self.balance, Side.LEFT, record, Reason.REFUSED, refused)
            return
        if emitted:
            self._ledger.results += self._results([record], [[row] for row in rows])
        if missing is None:
            self.balance.matched += 1
        elif missing is Reason.NULL_KEY and not emitted:
            self._ledger.rejected(self.balance, Side.LEFT, record, Reason.NULL_KEY)
        else:
            self._ledger.unmatched(Side.LEFT, record, missing)

    def _update(self, source: int, records: Sequence[Record]) -> None:
        if not self.tables:
            raise ValueError("the table of this join is kept elsewhere, and its updates belong there")
        self._ledger.apply(self.tables[source - 1], source, records)


def _undecided(join: TableLookup, clock: int) -> int:
    """Return the earliest time (ms) of records which still wait for updates when the clock shows a time (ms)."""
    return END if join.grace is None else clock - join.grace + 1


def _joined(records: Sequence[Record], tables: Sequence[Sequence[Row | None]]) -> list[Joined]:
    (rows,) = tables
    return [Joined(record.key, record, row, record.timestamp) for record, row in zip(records, rows, strict=True)]
