"""Tables in RocksDB (rocksdict 0.3): one database for each partition, one block cache for the worker."""

from __future__ import annotations

import contextlib
import functools
import logging
import shutil
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DbClosedError,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
)

from streamapp.joins.rows import Row
from streamapp.stores.partition import Changes
from streamapp.stores.store import PartitionedStore, StoreError

__all__ = ["RocksDBPartition", "Store"]

logger = logging.getLogger(__name__)

#: Column families besides the default one, which holds the rows.
TIMES: Final = "times"
META: Final = "meta"
OFFSET: Final = b"offset"
#: Event time (ms) before the value of a row, and before the key in `TIMES`; the sign bit is turned so that
#: bytes sort as the numbers do.
TIME: Final = struct.Struct(">Q")
SIGN: Final = 1 << 63
#: A write buffer for each partition: the default of 64 MiB times three would be gigabytes for 64 partitions.
WRITE_BUFFER: Final = 16 << 20
#: Seconds to wait for another worker on this machine to close a partition that it gave back.
LOCK_WAIT: Final = 10.0


def _time(timestamp: int) -> bytes:
    return TIME.pack(timestamp + SIGN)


def _pack(row: Row) -> bytes:
    return _time(row.timestamp) + row.value


def _unpack(data: bytes) -> Row:
    return Row(data[TIME.size :], TIME.unpack_from(data)[0] - SIGN)


class RocksDBPartition:
    """One partition's rows, an index of their event times, and the changelog offset, in one database.

    A write puts rows, index and offset into one WriteBatch, which RocksDB applies as a whole or not at all: after
    a kill at any moment the rows are those of the stored offset.

    Args:
        path: directory of the database.
        options: RocksDB's options, which share the worker's block cache.

    Raises:
        StoreError: if another process holds the database.
    """

    def __init__(self, path: Path, options: Options) -> None:
        self.path = path
        self._options = options
        self._open()

    def _open(self) -> None:
        self._db: Any = _open(self.path, self._options)
        self._times: Any = self._db.get_column_family(TIMES)
        self._meta = self._db.get_column_family(META)
        self._times_handle = self._db.get_column_family_handle(TIMES)
        self._meta_handle = self._db.get_column_family_handle(META)
        #: No row is older than this event time (ms): the search for expired ones need not step again over the
        #: deleted entries at the beginning of the index, which RocksDB keeps until it compacts them away.
        self._oldest = -SIGN
        stored = self._meta.get(OFFSET)
        self.offset: int | None = None if stored is None else int(stored)

    def get(self, key: bytes, /) -> Row | None:
        """Give the row of a key."""
        data = self._db.get(key)
        return None if data is None else _unpack(data)

    def get_many(self, keys: Sequence[bytes]) -> list[Row | None]:
        """Give the rows of keys, in their order."""
        distinct = list(dict.fromkeys(keys))
        found = dict(zip(distinct, self._db.get(distinct), strict=True))
        rows = {key: None if data is None else _unpack(data) for key, data in found.items()}
        return [rows[key] for key in keys]

    def write(self, changes: Changes, offset: int) -> None:
        """Write rows, the index of their times, and the changelog offset after them, all or nothing."""
        batch = WriteBatch(raw_mode=True)
        for key, old in self._rows(list(changes)):
            row = changes[key]
            if old is not None:
                batch.delete(old[: TIME.size] + key, self._times_handle)
            if row is None:
                batch.delete(key)
            else:
                batch.put(key, _pack(row))
                batch.put(_time(row.timestamp) + key, b"", self._times_handle)
                self._oldest = min(self._oldest, row.timestamp)
        batch.put(OFFSET, str(offset).encode(), self._meta_handle)
        self._db.write(batch)
        self.offset = offset

    def _rows(self, keys: list[bytes]) -> Iterable[tuple[bytes, bytes | None]]:
        return zip(keys, self._db.get(keys), strict=True) if keys else ()

    def expired(self, before: int, limit: int) -> list[bytes]:
        """Give keys of rows whose event time (ms) is smaller than `before`, the oldest first."""
        end = _time(before)
        found: list[bytes] = []
        for entry in self._times.keys(from_key=_time(self._oldest)):
            if entry >= end or len(found) >= limit:
                break
            found.append(entry)
        self._oldest = TIME.unpack_from(found[0])[0] - SIGN if found else max(before, self._oldest)
        return [entry[TIME.size :] for entry in found]

    def items(self) -> Iterator[tuple[bytes, Row]]:
        """Go through all rows, in the order of their keys."""
        return ((key, _unpack(data)) for key, data in self._db.items())

    def __len__(self) -> int:
        return int(self._db.property_int_value("rocksdb.estimate-num-keys") or 0)

    def clear(self) -> None:
        """Remove all rows and the offset."""
        self.close()
        shutil.rmtree(self.path)
        self._open()

    def close(self) -> None:
        """Close the database, so that another worker on this machine can open it."""
        # Each column family's handle holds the database, and its lock, too.
        for handle in (self._times, self._meta, self._db):
            with contextlib.suppress(DbClosedError):
                handle.close()
        del self._times, self._meta, self._db, self._times_handle, self._meta_handle


def _open(path: Path, options: Options) -> Rdict:
    deadline = time.monotonic() + LOCK_WAIT
    while True:
        try:
            return Rdict(str(path), options, column_families={TIMES: options, META: options})
        except Exception as exc:  # rocksdict raises plain exceptions, told apart by their text only
            text = str(exc)
            if "lock" in text.lower():
                if time.monotonic() > deadline:
                    raise StoreError(f"{path} is held by another process: {text}") from None
                time.sleep(0.05)
            elif any(word in text for word in ("Corruption", "Invalid argument", "not found", "CURRENT")):
                logger.warning("%s is damaged and is made anew from the changelog: %s", path, text)
                shutil.rmtree(path)
            else:
                raise StoreError(f"{path} cannot be opened: {text}") from None


class Store(PartitionedStore):
    """The store ``batched-rocksdb://``: a directory for each partition below Faust's ``tabledir``."""

    def open(self, partition: int) -> RocksDBPartition:
        """Open, or make, the database of a partition."""
        path = Path(self.app.conf.tabledir) / f"{self.table_name}-{partition}.rocksdb"
        path.parent.mkdir(parents=True, exist_ok=True)
        return RocksDBPartition(path, options(self.app.settings.block_cache))


@functools.cache
def options(cache_size: int) -> Options:
    """Make RocksDB's options; all databases of this process share their cache.

    Args:
        cache_size: bytes of blocks, indexes, filters and write buffers together. The default of rocksdict and of
            Faust's own store would be a cache for each database (2 GiB in Faust's).
    """
    cache = Cache(cache_size)
    # Write buffers are counted in the cache too, so that one number bounds them all.
    write_buffers = WriteBufferManager.new_write_buffer_manager_with_cache(cache_size // 2, False, cache)
    blocks = BlockBasedOptions()
    blocks.set_block_cache(cache)
    blocks.set_bloom_filter(10, False)
    blocks.set_cache_index_and_filter_blocks(True)
    made = Options(raw_mode=True)
    made.create_if_missing(True)
    made.create_missing_column_families(True)
    made.set_block_based_table_factory(blocks)
    made.set_write_buffer_manager(write_buffers)
    made.set_write_buffer_size(WRITE_BUFFER)
    made.set_max_write_buffer_number(2)
    made.set_keep_log_file_num(2)
    return made
