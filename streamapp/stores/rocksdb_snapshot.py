"""Rows in RocksDB as they were at one moment, and what is in the bytes of one."""

from __future__ import annotations

import struct
from typing import Final

from rocksdict import RdictIter

from streamapp.joins.rows import Row
from streamapp.stores.snapshot import Piece, Snapshot, Snapshots

__all__ = ["SIGN", "TIME", "RocksDBSnapshot", "unpack"]

#: Event time (ms) before the value of a row, and before the key in the index of times; the sign bit is turned so that
#: bytes sort as the numbers do.
TIME: Final = struct.Struct(">Q")
SIGN: Final = 1 << 63


def unpack(data: bytes) -> Row:
    """Return the row of a value."""
    return Row(data[TIME.size :], TIME.unpack_from(data)[0] - SIGN)


class RocksDBSnapshot(Snapshot):
    """An iterator, which sees the rows as they were when it was made; a position is a key."""

    ordered = True

    def __init__(self, rows: RdictIter, offset: int, snapshots: Snapshots[RocksDBSnapshot]) -> None:
        super().__init__(offset)
        self._rows = [rows]
        self._snapshots = snapshots

    def begin(self, start: bytes) -> bytes:
        """Return the position of the first row whose key is `start` or greater."""
        return start

    def after(self, position: bytes, count: int, key: bytes) -> bytes:
        """Return the position after the row of a key."""
        return key + b"\0"

    def _read(self, position: bytes, limit: int) -> Piece:
        (at,) = self._rows
        at.seek(position)
        rows: list[tuple[bytes, Row]] = []
        while at.valid() and len(rows) < limit:
            rows.append((at.key(), unpack(at.value())))
            at.next()
        at.status()
        return Piece(rows, at.key() if at.valid() else None)

    def _close(self) -> None:
        # An iterator holds the database, and its lock, too.
        self._rows.clear()
        self._snapshots.remove(self)
