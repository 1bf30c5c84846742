"""The foreign-key join: two tables, where a row of the left one names the row of the right one that it goes with.

The joined table has the keys of the left one. A left update looks one right row up; a right update reaches every
left row that names it, in the order of their keys. (Kafka Streams' KTable foreign-key join, KIP-213.)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

import msgspec

from streamapp.joins import ordering
from streamapp.joins.cache import Cache
from streamapp.joins.clock import BEGINNING
from streamapp.joins.declared import Declared, earlier, rebuilt, widened
from streamapp.joins.explanation import ANY, NAMED, Explanation, Verdict, candidate, is_of, replaced
from streamapp.joins.how import How
from streamapp.joins.ledger import Ledger, Refused, Refusing
from streamapp.joins.output import Joined, Output, Reason
from streamapp.joins.records import Batch, Record, Side
from streamapp.joins.rows import Row
from streamapp.joins.state import State
from streamapp.joins.table import CACHED, Table

__all__ = ["ForeignKeyJoin", "ForeignKeyOf", "ForeignKeyOperator"]

#: Gives the key of the right row that a left record names; None names none, `Refused` puts the record out at the side.
ForeignKeyOf = Callable[[Record], bytes | None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ForeignKeyJoin:
    """Joins each left row with the right row that it names.

    Args:
        foreign_key: gives the name.
        how: inner, or left: a left row gives a result too if it names no row that exists.

    Raises:
        ValueError: if it is to be right or outer.
    """

    foreign_key: ForeignKeyOf
    how: How = How.INNER

    def __post_init__(self) -> None:
        if self.how not in {How.INNER, How.LEFT}:
            raise ValueError(f"a foreign-key join is inner or left, not {self.how}")

    def start(self, state: State) -> ForeignKeyOperator:
        """Begin, or go on, with what the state holds."""
        return ForeignKeyOperator(self, state)

    @property
    def tables(self) -> frozenset[int]:
        """The sources whose records are rows of a table."""
        return frozenset(Side)

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared."""
        return Declared.of("a foreign-key join", self, "how")

    def written_by(self, declared: Declared) -> ForeignKeyJoin:
        """Return the join that wrote a state.

        Raises:
            StateMismatch: if there is none.
        """
        return rebuilt(self, declared)  # type: ignore[no-any-return]

    def take_over(self, was: ForeignKeyJoin) -> list[str]:
        """Return what may be missing in the results after the state of another such join is taken over.

        Raises:
            StateMismatch: if there are rows of the joined table that would have to go.
        """
        return widened(was.how, self.how)


class _Left(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A left row, with the key that it names."""

    value: bytes
    timestamp: int
    names: bytes | None
    offset: int = -1

    @property
    def row(self) -> Row:
        return Row(self.value, self.timestamp, self.offset)


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Left).decode


class _LeftTable:
    """The left rows, found by their own key and by the one they name."""

    def __init__(self, state: State) -> None:
        self._rows = state.section(b"rows/")
        self._names = state.section(b"names/")
        self._cache: Cache[bytes, _Left | None] = Cache(self._read, CACHED)

    def _read(self, key: bytes) -> _Left | None:
        row = self._rows.get(key)
        return None if row is None else _decode(row)

    def get(self, key: bytes) -> _Left | None:
        """Give the row of a key."""
        return self._cache[key]

    def put(self, key: bytes, row: _Left | None) -> None:
        """Replace the row of a key; None deletes it."""
        old = self._cache[key]
        if old is not None and old.names is not None:
            self._names.delete(ordering.grouped(old.names) + key)
        if row is None:
            self._rows.delete(key)
        else:
            self._rows.put(key, _encode(row))
            if row.names is not None:
                self._names.put(ordering.grouped(row.names) + key, b"")
        self._cache.keep(key, row)

    def naming(self, name: bytes) -> list[tuple[bytes, _Left]]:
        """Give the keys and rows that name a right key, in the order of the keys."""
        group = ordering.grouped(name)
        keys = [entry[len(group) :] for entry, _ in self._names.scan(group)]
        return [(key, row) for key in keys if (row := self._cache[key]) is not None]


class ForeignKeyOperator(Refusing[Joined]):
    """A foreign-key join at work on one partition.

    All updates of both sides count in its balance; one is matched if it met a row of the other side, a tombstone
    if the row that it deletes had. Left rows and the right rows that they name must be in one partition.
    """

    def __init__(self, join: ForeignKeyJoin, state: State) -> None:
        self.join = join
        earlier(state, join)
        self._ledger: Ledger[Joined] = Ledger(state)
        self.clock, self.balance, self.updates = self._ledger.clock, self._ledger.balance, self._ledger.updates
        self._lefts = _LeftTable(state.section(b"left/"))
        self._rights = Table(state.section(b"right/"))

    def process(self, batch: Batch) -> Output[Joined]:
        """Apply updates in the order in which they are given."""
        for side, record in batch:
            self.balance.received += 1
            self.clock.advance(record.timestamp)
            if record.key is None:
                self._ledger.rejected(self.balance, side, record, Reason.NULL_KEY)
            elif side == Side.LEFT:
                self._update_left(record.key, record)
            else:
                self._update_right(record.key, record)
        return self.advance(BEGINNING)

    def advance(self, to: int) -> Output[Joined]:
        """Move the clock on to an event time (ms); no result waits for that."""
        self.clock.advance(to)
        return self._ledger.close()

    def explain(self, side: int, record: Record) -> Explanation:
        """Say why an update that was taken in joined, or did not: by the rows that the tables have now."""
        clock, key = self.clock, record.key
        left_row = side == Side.LEFT and record.value is not None
        try:
            names = self.join.foreign_key(record) if left_row and key is not None else None
        except Refused as refused:
            return Explanation(verdict=Verdict.REFUSED, clock=clock.now, detail=str(refused))
        if key is None or (left_row and names is None):
            return Explanation(verdict=Verdict.NULL_KEY, clock=clock.now)
        mine, others = self._explained_left(key) if side == Side.LEFT else self._explained_right(key)
        if not is_of(mine, record):
            return replaced(side, key, mine, clock, Verdict.MATCHED, [Reason.UNMATCHED])
        candidates = [candidate(1 - side, name, row, ANY) for name, row in others[:NAMED]]
        verdict = Verdict.MATCHED if candidates else Verdict.UNMATCHED
        return Explanation(verdict=verdict, clock=clock.now, candidates=candidates)

    def _explained_left(self, key: bytes) -> tuple[Row | None, list[tuple[bytes, Row]]]:
        """Give the left row of a key, and the right one that it names, with its key."""
        left = self._lefts.get(key)
        right = self._named(left)
        others = [(left.names, right)] if left and left.names is not None and right else []
        return None if left is None else left.row, others

    def _explained_right(self, key: bytes) -> tuple[Row | None, list[tuple[bytes, Row]]]:
        """Give the right row of a key, and the left ones that name it, with their keys."""
        return self._rights.get(key), [(name, left.row) for name, left in self._lefts.naming(key)]

    def _update_left(self, key: bytes, record: Record) -> None:
        old = self._lefts.get(key)
        old_right = self._named(old)
        if record.value is None:
            new = None
        else:
            try:
                new = _Left(record.value, record.timestamp, self.join.foreign_key(record), record.offset)
            except Refused as refused:
                self._ledger.rejected(self.balance, Side.LEFT, record, Reason.REFUSED, refused)
                return
        right = self._named(new)
        self._lefts.put(key, new)
        if self._joins(new, right):
            self._emit(key, new, right, record.timestamp)
        elif self._joins(old, old_right):
            self._emit(key, None, None, record.timestamp)
        if right or (new is None and old_right):
            self.balance.matched += 1
        elif new is None or new.names is not None:
            self._ledger.unmatched(Side.LEFT, record)
        elif self.join.how is How.LEFT:
            self._ledger.unmatched(Side.LEFT, record, Reason.NULL_KEY)
        else:
            self._ledger.rejected(self.balance, Side.LEFT, record, Reason.NULL_KEY)

    def _update_right(self, key: bytes, record: Record) -> None:
        old = self._rights.get(key)
        self._rights.put(key, record.value, record.timestamp, record.offset)
        right = self._rights.get(key)
        naming = self._lefts.naming(key)
        for left_key, left in naming:
            if self._joins(left, right):
                self._emit(left_key, left, right, record.timestamp)
            elif self._joins(left, old):
                self._emit(left_key, None, None, max(record.timestamp, left.timestamp))
        if naming:
            self.balance.matched += 1
        else:
            self._ledger.unmatched(Side.RIGHT, record)

    def _named(self, left: _Left | None) -> Row | None:
        return None if left is None or left.names is None else self._rights.get(left.names)

    def _joins(self, left: _Left | None, right: Row | None) -> bool:
        return left is not None and (right is not None or self.join.how is How.LEFT)

    def _emit(self, key: bytes, left: _Left | None, right: Row | None, timestamp: int) -> None:
        row = None if left is None else left.row
        for side in (row, right):
            timestamp = timestamp if side is None else max(timestamp, side.timestamp)
        self._ledger.results.append(Joined(key, row, right, timestamp))
