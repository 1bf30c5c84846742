"""The state of a join in RocksDB (rocksdict 0.3): the one place of the joins that touches a disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rocksdict import Options, Rdict, ReadOptions, WriteBatch

from streamapp.joins.state import Changes

__all__ = ["RocksDBStore"]


class RocksDBStore:
    """Rows in a RocksDB database of their own, in a directory that is made if it is not there."""

    def __init__(self, path: Path) -> None:
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        self._rows: Any = Rdict(str(path), options)

    def get(self, key: bytes, /) -> bytes | None:
        """Give the row of a key."""
        row: bytes | None = self._rows.get(key)
        return row

    def scan(self, start: bytes, stop: bytes | None, /) -> Iterator[tuple[bytes, bytes]]:
        """Give the rows with ``start <= key < stop`` in order; None is without end."""
        reading = ReadOptions()
        if stop is not None:
            reading.set_iterate_upper_bound(stop)
        rows: Iterator[tuple[bytes, bytes]] = self._rows.items(from_key=start, read_opt=reading)
        return rows

    def write(self, changes: Changes, /) -> None:
        """Write and delete rows in one WriteBatch, which RocksDB applies as a whole or not at all."""
        batch = WriteBatch(raw_mode=True)
        for key, row in changes.items():
            if row is None:
                batch.delete(key)
            else:
                batch.put(key, row)
        self._rows.write(batch)

    def close(self) -> None:
        """Close the database, so that another process can open it."""
        self._rows.close()
