"""Tables in RocksDB (rocksdict 0.3): one database for each partition; all of a worker share their memory."""

from __future__ import annotations

import contextlib
import itertools
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DbClosedError,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
)

from streamapp.joins.rows import Row
from streamapp.stores.cache import RowCache
from streamapp.stores.errors import StoreError
from streamapp.stores.partition import Changes
from streamapp.stores.rocksdb_snapshot import SIGN, TIME, RocksDBSnapshot, unpack
from streamapp.stores.snapshot import ClosedError, Measure, Snapshots
from streamapp.stores.standing import Standing
from streamapp.stores.wal import cut_damage

__all__ = ["RocksDBPartition", "remove", "shared"]

logger = logging.getLogger(__name__)

#: Column families besides the default one, which holds the rows.
TIMES: Final = "times"
META: Final = "meta"
#: Properties: how many rows there are, and their bytes in files and in write buffers.
MEASURES: Final = ("estimate-num-keys", "estimate-live-data-size", "cur-size-all-mem-tables")
OFFSET: Final = b"offset"
STANDING: Final = b"standing"
#: A write buffer for each column family: the default of 64 MiB would be gigabytes for 64 partitions, and is slower.
WRITE_BUFFER_BYTES: Final = 32 << 20
#: Written buffers that are merged at once, RocksDB's default being 4: the fewer merges, the less of a table is written
#: again and again while it grows. It makes look-ups not measurably dearer, as each file has its Bloom filter.
MERGED_FILES: Final = 8
#: Bytes of a block of rows, before compression: a look-up reads a whole one.
BLOCK_BYTES: Final = 2 << 10
#: Part of the memory that is for hot rows (`streamapp.stores.cache`); the rest is for RocksDB's write buffers.
HOT_SHARE: Final = 0.5
#: Keys from which on another thread looks them up, too: RocksDB does it without the interpreter's lock.
HANDED_KEYS: Final = 1_000
#: Seconds to wait for another worker on this machine to close a partition that it gave back.
LOCK_TIMEOUT_S: Final = 10.0
#: A file that says that a database was found damaged while it was in use.
DAMAGED: Final = "streamapp-damaged"
#: What RocksDB and the system say of files that this process cannot write; of the lock's file, too.
NOT_OURS: Final = ("Permission denied", "Read-only file system", "No space left on device", "Operation not permitted")


class Shared(NamedTuple):
    """What the databases of a worker share."""

    #: RocksDB's options for the rows, and for the other column families.
    rows: Options
    others: Options
    hot: RowCache
    #: Reads ahead of the agents' thread, and along with it.
    reader: ThreadPoolExecutor


@cache
def shared(size: int) -> Shared:
    """Return what the databases of this process share, made once for each size.

    Args:
        size: bytes of hot rows and write buffers together. Indexes and filters come on top: some 3 bytes a row.
    """
    hot = int(size * HOT_SHARE)
    # rocksdict makes one only with a cache, in which nothing else is.
    buffers = WriteBufferManager.new_write_buffer_manager_with_cache(size - hot, False, Cache(size - hot))
    rows, others = _options(BLOCK_BYTES, buffers, filtered=True), _options(16 << 10, buffers, filtered=False)
    return Shared(rows, others, RowCache(hot), ThreadPoolExecutor(1, "rocksdb-reader"))


def _options(block_bytes: int, buffers: WriteBufferManager, *, filtered: bool) -> Options:
    blocks = BlockBasedOptions()
    # The hot rows are at hand as they are, and the files are in the system's page cache. A block cache in between is
    # missed as often as not, and looking into it, filling it and evicting from it takes longer (6.0 µs a row of 10
    # million, of which few are hot) than to read a small block and to expand it (3.0 µs).
    blocks.disable_cache()
    blocks.set_block_size(block_bytes)
    if filtered:
        blocks.set_bloom_filter(10, False)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    options.set_block_based_table_factory(blocks)
    options.set_compression_type(DBCompressionType.lz4())
    # Files are read where the system has them in memory, not copied block by block: 3.4 µs a look-up instead of 3.9.
    # The system takes back what is cold. Of a disk that cannot be read the process dies (SIGBUS), without a line on it.
    options.set_allow_mmap_reads(True)
    options.set_write_buffer_manager(buffers)
    options.set_write_buffer_size(WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(2)
    options.set_level_zero_file_num_compaction_trigger(MERGED_FILES)
    # The column families go to disk together. Else the small one keeps the log of all that was written since it went
    # (384 MiB of each partition by default), to be read again at each start.
    options.set_atomic_flush(True)
    options.set_keep_log_file_num(2)
    return options


def _time(timestamp: int) -> bytes:
    return TIME.pack(timestamp + SIGN)


class RocksDBPartition:
    """One partition's rows, an index of their event times, and the changelog offset, in one database.

    A write puts rows, index and offset into one WriteBatch, which RocksDB applies as a whole or not at all: after
    a kill at any moment the rows are those of the stored offset. If the machine fails, the last writes may be gone,
    rows and offset alike: the changelog has them.

    Every method raises `StoreError` when the disk is full or the database is damaged; a damaged one is made anew, from
    the changelog, when it is next opened.

    Args:
        path: directory of the database.
        shared: what it shares with others.
        aging: whether there is the index, without which no rows expire.

    Raises:
        StoreError: if another process holds the database.
    """

    def __init__(self, path: Path, shared: Shared, *, aging: bool = True) -> None:
        self.path = path
        self._aging = aging
        self._shared = shared
        self._hot = shared.hot.partition(self._begin)
        self.get = self._hot.get
        self.get_many = self._hot.get_many
        self.read_ahead = self._hot.read_ahead
        self._snapshots: Snapshots[RocksDBSnapshot] = Snapshots()
        #: Held while they are closed, or used by who does not know of that.
        self._handles = threading.Lock()
        self._open()

    def _open(self) -> None:
        self._db: Any = _open(self.path, self._shared)
        self._times = self._db.get_column_family(TIMES)
        self._meta = self._db.get_column_family(META)
        self._times_handle = self._db.get_column_family_handle(TIMES)
        self._meta_handle = self._db.get_column_family_handle(META)
        #: No row is older than this event time (ms): the search for expired ones need not step again over the
        #: deleted entries at the beginning of the index, which RocksDB keeps until it compacts them away.
        self._oldest = -SIGN
        with self._explained():
            stored = self._meta.get(OFFSET)
            self.standing = Standing.parse(self._meta.get(STANDING))
        self.offset: int | None = None if stored is None else int(stored)
        self._closed = False

    def _load(self, keys: Sequence[bytes]) -> list[Row | None]:
        with self._explained():
            return _rows(self._db.get(list(keys)))

    def _begin(self, keys: Sequence[bytes]) -> Callable[[], list[Row | None]]:
        if len(keys) < HANDED_KEYS:
            return partial(self._load, keys)
        read, middle = self._db.get, len(keys) // 2
        head, tail = keys[:middle], keys[middle:]
        first, second = self._shared.reader.submit(read, head), self._shared.reader.submit(read, tail)

        def end() -> list[Row | None]:
            with self._explained():
                # What the reader has not come to is read here, the second half first: it is at the first one maybe.
                rest = read(tail) if second.cancel() else second.result()
                return _rows((read(head) if first.cancel() else first.result()) + rest)

        return end

    def stand(self, standing: Standing) -> None:
        """Keep how the rows stand to their changelog."""
        with self._explained():
            self._meta[STANDING] = bytes(standing)
        self.standing = standing

    def write(self, changes: Changes, offset: int) -> None:
        """Write rows, the index of their times, and the changelog offset after them, all or nothing."""
        keys = list(changes) if self._aging else []
        batch = WriteBatch(raw_mode=True)
        with self._explained():
            for key, old in zip(keys, self._db.get(keys) if keys else (), strict=True):
                if old is not None:
                    batch.delete(old[: TIME.size] + key, self._times_handle)
            self._write(batch, changes, offset)
        self._hot.written(changes)

    def restore(self, changes: Changes, offset: int) -> None:
        """Write without a look at the old rows: their entries in the index stay, until `expired` meets them."""
        with self._explained():
            self._write(WriteBatch(raw_mode=True), changes, offset)
        self._hot.clear()

    def _write(self, batch: WriteBatch, changes: Changes, offset: int) -> None:
        put, delete, times, pack = batch.put, batch.delete, self._times_handle, TIME.pack
        for key, row in changes.items():
            if row is None:
                delete(key)
            else:
                at = pack(row.timestamp + SIGN)
                put(key, at + row.value)
                if self._aging:
                    put(at + key, b"", times)
        put(OFFSET, str(offset).encode(), self._meta_handle)
        self._db.write(batch)
        self.offset = offset
        self._oldest = min([self._oldest, *(row.timestamp for row in changes.values() if row is not None)])

    def expired(self, before: int, limit: int) -> list[bytes]:
        """Return keys of rows whose event time (ms) is smaller than `before`, the oldest first."""
        if not self._aging:
            raise TypeError("the rows of an ordered table do not expire")
        if limit <= 0:
            return []
        end = _time(before)
        with self._explained():
            while True:
                found = itertools.takewhile(lambda entry: entry[0] < end, _scan(self._times, _time(self._oldest)))
                entries = [entry for entry, _ in itertools.islice(found, limit)]
                keys = [entry[TIME.size :] for entry in entries]
                stale = [
                    entry
                    for entry, data in zip(entries, self._db.get(keys) if keys else (), strict=True)
                    if data is None or not entry.startswith(data[: TIME.size])
                ]
                if not stale:
                    self._oldest = TIME.unpack_from(entries[0])[0] - SIGN if entries else max(before, self._oldest)
                    return keys
                batch = WriteBatch(raw_mode=True)
                for entry in stale:
                    batch.delete(entry, self._times_handle)
                self._db.write(batch)

    def items(self) -> Iterator[tuple[bytes, Row]]:
        """Go through all rows."""
        return self.scan(b"", None)

    def scan(self, start: bytes, stop: bytes | None, /) -> Iterator[tuple[bytes, Row]]:
        """Go through the rows with ``start <= key < stop`` in order; None is without end."""
        with self._explained():
            for key, data in _scan(self._db, start):
                if stop is not None and key >= stop:
                    return
                yield key, unpack(data)

    def snapshot(self) -> RocksDBSnapshot:
        """Return all rows as they are now: an iterator of RocksDB, which keeps the files that it reads."""
        with self._open_for_others():
            while True:
                number, offset, rows = self._db.latest_sequence_number(), self._meta.get(OFFSET), self._db.iter()
                if self._db.latest_sequence_number() == number:  # else there was a write in between
                    return self._snapshots.add(RocksDBSnapshot(rows, int(offset or b"0"), self._snapshots))

    def measure(self) -> Measure:
        """Return how much there is, as RocksDB estimates it, in files and in write buffers."""
        with self._open_for_others():
            rows, *sizes = (int(self._db.property_int_value(f"rocksdb.{name}") or 0) for name in MEASURES)
            at = self._times.iter()
            at.seek_to_last()
            newest = TIME.unpack_from(at.key())[0] - SIGN if at.valid() else None
            return Measure(rows, sum(sizes), newest, self.offset or 0)

    @contextlib.contextmanager
    def _open_for_others(self) -> Iterator[None]:
        """Keep it open for a moment, in any thread; a ClosedError if it is closed."""
        with self._handles, self._explained():
            if self._closed:
                raise ClosedError
            yield

    def __len__(self) -> int:
        return int(self._db.property_int_value("rocksdb.estimate-num-keys") or 0)

    def clear(self) -> None:
        """Remove all rows and the offset."""
        self.close()
        remove(self.path)
        self._open()

    def close(self) -> None:
        """Close the database, so that another worker on this machine can open it."""
        self._hot.clear()
        with self._handles:
            self._closed = True
            self._snapshots.close()
        self._shared.reader.submit(int).result()  # by then it has done what it was asked for before
        # Each column family's handle holds the database, and its lock, too.
        for handle in (self._times, self._meta, self._db):
            try:
                handle.close()
            except DbClosedError:
                pass
            except Exception as exc:  # on a full disk, say, which the write before has told of; the changelog has all
                logger.warning("%s could not be closed cleanly: %s", self.path, exc)
        del self._times, self._meta, self._db, self._times_handle, self._meta_handle

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise a `StoreError` for what RocksDB raises, and take note of damage."""
        try:
            yield
        except Exception as exc:
            if type(exc) is not Exception:  # rocksdict raises this plain type, and nothing else does
                raise
            if "Corruption" not in str(exc):
                raise StoreError(f"{self.path} cannot be read or written: {exc}") from None
            (self.path / DAMAGED).touch()
            raise StoreError(
                f"{self.path} is damaged, and is made anew from the changelog at the next start: {exc}"
            ) from None


def _rows(found: Sequence[bytes | None]) -> list[Row | None]:
    size, unpack = TIME.size, TIME.unpack_from  # as `unpack`, without a call for each row
    return [None if data is None else Row(data[size:], unpack(data)[0] - SIGN) for data in found]


def _scan(db: Rdict, start: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Go through keys and values; unlike rocksdict's own `items`, do not take damage for the end."""
    at = db.iter()
    at.seek(start)
    while at.valid():
        yield at.key(), at.value()
        at.next()
    at.status()


def _open(path: Path, shared: Shared) -> Rdict:
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            if (path / DAMAGED).exists():
                remove(path)
            cut_damage(path)
            return Rdict(str(path), shared.rows, column_families={TIMES: shared.others, META: shared.others})
        except Exception as exc:  # rocksdict raises plain exceptions, told apart by their text only
            text = str(exc)
            if any(word in text for word in NOT_OURS):
                raise StoreError(f"{path} cannot be opened: {text}") from None
            if "lock" in text.lower():
                if time.monotonic() > deadline:
                    raise StoreError(f"{path} is held by another process: {text}") from None
                time.sleep(0.05)
            elif any(word in text for word in ("Corruption", "Invalid argument", "not found", "No such file")):
                logger.warning("%s is damaged and is made anew from the changelog: %s", path, text)
                remove(path)
            else:
                raise StoreError(f"{path} cannot be opened: {text}") from None


def remove(path: Path) -> None:
    """Remove a database in one step: half of its files might be taken for a whole one that has fewer rows."""
    removed = path.with_name(f"{path.name}.removed")
    shutil.rmtree(removed, ignore_errors=True)
    path.rename(removed)
    shutil.rmtree(removed)
