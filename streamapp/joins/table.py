"""A table: the current row of each key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from streamapp.joins.cache import Cache
from streamapp.joins.held import Held, Holding
from streamapp.joins.output import Reason
from streamapp.joins.records import Record
from streamapp.joins.rows import Row, Rows
from streamapp.joins.state import State
from streamapp.joins.time_index import TimeIndex

__all__ = ["StateRows", "Table", "TracedRows", "Version"]

#: How many rows are kept decoded, however many the state has.
CACHED: Final = 100_000


class Version(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A value of a key, or its absence, from a time (ms) on; the offset is that of the update."""

    value: bytes | None
    timestamp: int
    offset: int = -1

    @property
    def row(self) -> Row | None:
        """The row that it is; None if it is an absence."""
        return None if self.value is None else Row(self.value, self.timestamp, self.offset)


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Version).decode


class StateRows:
    """The latest version of each key in a section of a state, and if aging the keys in the order of its time."""

    def __init__(self, state: State, *, aging: bool = False) -> None:
        self._rows = state.section(b"rows/")
        self._ages = TimeIndex(state.section(b"ages/")) if aging else None
        self._cache: Cache[bytes, Version | None] = Cache(self._read, CACHED)

    def _read(self, key: bytes) -> Version | None:
        row = self._rows.get(key)
        return None if row is None else _decode(row)

    def version(self, key: bytes) -> Version | None:
        """Return the version of a key, which may be an absence."""
        return self._cache[key]

    def get(self, key: bytes, /) -> Row | None:
        """Return the row of a key."""
        version = self._cache[key]
        return None if version is None else version.row

    def get_many(self, keys: Sequence[bytes], /) -> Sequence[Row | None]:
        """Return the rows of keys, in their order."""
        return list(map(self.get, keys))

    def keys(self) -> Iterator[bytes]:
        """Go through the keys; to be left before the next change."""
        return (key for key, _ in self._rows.scan())

    def put(self, key: bytes, version: Version) -> None:
        """Replace the version of a key."""
        if self._ages is not None:
            self._forget_age(key, self._ages)
            self._ages.add(version.timestamp, key)
        self._rows.put(key, _encode(version))
        self._cache.keep(key, version)

    def delete(self, key: bytes) -> None:
        """Delete a key."""
        if self._ages is not None:
            self._forget_age(key, self._ages)
        self._rows.delete(key)
        self._cache.keep(key, None)

    def write(self, changes: Mapping[bytes, Row | None], /) -> None:
        """Write rows; None deletes."""
        for key, row in changes.items():
            if row is None:
                self.delete(key)
            else:
                self.put(key, Version(row.value, row.timestamp, row.offset))

    def expire(self, before: int | None, /) -> None:
        """Delete the keys whose version is older than ``before`` (ms)."""
        if self._ages is not None and before is not None:
            for timestamp, key in self._ages.take(before):
                version = self._cache[key]
                # A version that was written while none were to expire has left the age of the one before behind.
                if version is not None and version.timestamp == timestamp:
                    self._rows.delete(key)
                    self._cache.keep(key, None)

    def _forget_age(self, key: bytes, ages: TimeIndex) -> None:
        if (version := self._cache[key]) is not None:
            ages.remove(version.timestamp, key)


class TracedRows:
    """Rows that are kept elsewhere, with the offsets of their updates, which are kept in a section of a state."""

    def __init__(self, rows: Rows, state: State) -> None:
        self._rows = rows
        self._updates = StateRows(state, aging=True)
        self.keys = rows.keys

    def get(self, key: bytes, /) -> Row | None:
        """Return the row of a key."""
        return self._traced(key, self._rows.get(key))

    def get_many(self, keys: Sequence[bytes], /) -> Sequence[Row | None]:
        """Return the rows of keys, in their order."""
        return list(map(self._traced, keys, self._rows.get_many(keys)))

    def _traced(self, key: bytes, row: Row | None) -> Row | None:
        update = None if row is None else self._updates.version(key)
        if row is None or update is None or update.timestamp != row.timestamp:
            return row
        return Row(row.value, row.timestamp, update.offset)

    def write(self, changes: Mapping[bytes, Row | None], /) -> None:
        """Write rows; None deletes."""
        self._rows.write(changes)
        for key, row in changes.items():
            if row is None:
                self._updates.delete(key)
            else:
                self._updates.put(key, Version(None, row.timestamp, row.offset))

    def expire(self, before: int | None, /) -> None:
        """Have the rows that are older than an event time (ms) deleted."""
        self._rows.expire(before)
        self._updates.expire(before)


class Table:
    """A plain table: a later update replaces the row, whatever its timestamp; a tombstone deletes it."""

    versioned: Final = False

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.get, self.get_many, self.keys = rows.get, rows.get_many, rows.keys
        self.tidy = rows.expire

    @classmethod
    def of(cls, state: State, source: int, *, aging: bool = False) -> Table:
        """Make the table of a source: in a section of the join's state, unless its rows are kept elsewhere."""
        rows = state.tables.get(source)
        return cls(StateRows(state.section(b"table%d/" % source), aging=aging) if rows is None else rows)

    def at(self, key: bytes, _timestamp: int) -> Row | None:
        """Return the row that a record of this time (ms) joins: the current one."""
        return self.get(key)

    def held(self, source: int, key: bytes) -> list[Held]:
        """Return the row of a key as what is held of a source; none if there is none."""
        found = self.get(key)
        return [] if found is None else [Held(source, Holding.ROW, found.timestamp, found.value, found.offset)]

    def put(self, key: bytes, value: bytes | None, timestamp: int, offset: int = -1) -> Reason | None:
        """Apply an update; returns why it does not become the current row, None if it does."""
        self._rows.write({key: None if value is None else Row(value, timestamp, offset)})
        return None

    def update(self, records: Iterable[tuple[bytes, Record]]) -> list[Record]:
        """Apply updates by their keys; returns those that are too old for it: none."""
        self._rows.write(
            {
                key: None if (value := record.value) is None else Row(value, record.timestamp, record.offset)
                for key, record in records
            }
        )
        return []
