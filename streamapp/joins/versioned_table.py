"""A versioned table: the row of each key, as it was at any time that the history reaches back to.

An update that comes out of order finds its place among the others, and a record that comes out of order joins the row
of its own time. (Kafka Streams' versioned state stores, KIP-889.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from streamapp.joins import ordering
from streamapp.joins.clock import BEGINNING, Clock
from streamapp.joins.held import Held, Holding
from streamapp.joins.output import Reason
from streamapp.joins.records import Record
from streamapp.joins.rows import Row
from streamapp.joins.state import State
from streamapp.joins.table import StateRows, Version
from streamapp.joins.time_index import TimeIndex

__all__ = ["VersionedTable"]

#: Behind all other rows, see `Ledger`.
_CLOCK: Final = b"~clock"
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Version).decode


class VersionedTable:
    """A table that keeps past versions; a tombstone is a version too.

    A version can be asked for as far (ms) behind the newest update as the history says, and an older update is refused.
    `was` is the history of the table that wrote the state, None = as much.
    """

    versioned: Final = True

    def __init__(self, state: State, history: int, *, aging: bool = False, was: int | None = None) -> None:
        self.history = history
        self._state = state
        self._clock = Clock(state.wall)
        #: Before this time (ms) versions are gone, with the tombstones among them, from when the history was shorter.
        self._floor = BEGINNING
        stored = state.get(_CLOCK)
        if stored is not None:
            self._clock.restore(ordering.time_of(stored))
            if len(stored) > ordering.TIME:
                self._floor = ordering.time_of(stored[ordering.TIME :])
        if was is not None and was < history:
            self._floor = max(self._floor, self._clock.time - was)
        self._current = StateRows(state.section(b"current/"), aging=aging)
        #: The current row of a key; and all keys, to be left before the next change.
        self.get, self.keys = self._current.get, self._current.keys
        #: Versions that were followed by others: of each key the newest first.
        self._past = state.section(b"past/")
        #: Their keys in `_past`, by the time (ms) from which they are no longer asked for.
        self._ends = TimeIndex(state.section(b"ends/"))
        #: Keys whose current version is a tombstone, or was one, by the time (ms) of it.
        self._deleted = TimeIndex(state.section(b"deleted/"))

    @property
    def _horizon(self) -> int:
        return max(self._clock.time - self.history, self._floor)

    def reaches(self, timestamp: int) -> bool:
        """Return whether the rows of a time (ms) are still known."""
        return timestamp >= self._horizon

    def at(self, key: bytes, timestamp: int) -> Row | None:
        """Give the row of a key as it was at a time (ms); None too where the history does not reach back so far."""
        current = self._current.version(key)
        if current is not None and current.timestamp <= timestamp:
            return current.row
        if timestamp < self._horizon:
            return None
        # One version lasts until the next, so the newest that is not after the time is the one.
        versions = self._past.scan(ordering.grouped(key), start=ordering.time(-timestamp))
        return next((_decode(row).row for _, row in versions), None)

    def held(self, source: int, key: bytes) -> Iterator[Held]:
        """Go through the versions of a key, the newest first; a deletion is one too."""
        current = self._current.version(key)
        if current is not None:
            yield Held(source, Holding.ROW, current.timestamp, current.value, current.offset)
        horizon = self._horizon
        for _, row in self._past.scan(ordering.grouped(key)):
            version = _decode(row)
            yield Held(source, Holding.VERSION, version.timestamp, version.value, version.offset)
            if version.timestamp <= horizon:  # those before are not asked for any more
                return

    def put(self, key: bytes, value: bytes | None, timestamp: int, offset: int = -1) -> Reason | None:
        """Apply an update; gives why it does not become the current row, None if it does."""
        if timestamp < self._horizon:
            return Reason.EXPIRED
        self._clock.advance(timestamp)
        version, current = Version(value, timestamp, offset), self._current.version(key)
        if current is not None and timestamp < current.timestamp:
            if current.timestamp > self._clock.time:
                self._end(key, timestamp, instead_of=current.timestamp)
            self._keep(key, version, until=current.timestamp)
            return Reason.SUPERSEDED
        if current is not None and timestamp > current.timestamp:
            self._keep(key, current, until=timestamp)
        self._current.put(key, version)
        if value is None:
            self._deleted.add(timestamp, key)
        return None

    def update(self, records: Iterable[tuple[bytes, Record]]) -> list[Record]:
        """Apply updates by their keys; returns those that are older than the history."""
        return [
            record
            for key, record in records
            if self.put(key, record.value, record.timestamp, record.offset) is Reason.EXPIRED
        ]

    def _keep(self, key: bytes, version: Version, *, until: int) -> None:
        entry = ordering.grouped(key) + ordering.time(-version.timestamp)
        self._past.put(entry, _encode(version))
        self._ends.add(until, entry)

    def _end(self, key: bytes, timestamp: int, *, instead_of: int) -> None:
        """Have the version before a time (ms) last until then: one that is ahead must not keep all that came since."""
        group = ordering.grouped(key)
        start = ordering.time(-timestamp + 1)
        if (before := next((row for _, row in self._past.scan(group, start=start)), None)) is not None:
            entry = group + ordering.time(-_decode(before).timestamp)
            self._ends.remove(instead_of, entry)
            self._ends.add(timestamp, entry)

    def tidy(self, before: int | None) -> None:
        """Delete what is no longer needed: rows older than ``before`` (ms), and what is beyond the history."""
        for _, entry in self._ends.take(self._horizon + 1):
            self._past.delete(entry)
        for timestamp, key in self._deleted.take(self._horizon + 1):
            current = self._current.version(key)
            if current is not None and current.value is None and current.timestamp == timestamp:
                self._current.delete(key)
        self._current.expire(before)
        if self._clock.now is not None:
            floor = b"" if self._floor <= self._clock.now - self.history else ordering.time(self._floor)
            self._state.put(_CLOCK, ordering.time(self._clock.now) + floor)
