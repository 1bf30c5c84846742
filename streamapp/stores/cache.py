"""Hot rows: those looked up or written lately, kept as Python objects, since a store takes 10 to 50 times as long.

The replacement is hashlru's (Dominic Tarr, https://github.com/dominictarr/hashlru): two generations, of which the
young one becomes the old one when it is full, and the old one is forgotten. A row that is met in the old generation
gets into the young one again, so what is used stays. A hit is one look-up in a dict, without an order to keep.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import islice, repeat
from typing import Final
from weakref import WeakSet

from streamapp.joins.rows import Row

__all__ = ["CachedRows", "RowCache"]

#: Bytes that a row takes besides its key and value: three Python objects with their headers, and a place in a dict.
ROW: Final = 250
#: Of the rows that are looked up together, the share that was not at hand from which on they are taken for ones that
#: hardly come again, and the one in so many that is kept then (after the bimodal insertion of Qureshi et al., "Adaptive
#: Insertion Policies for High Performance Caching", 2007): the others would only drive out what is hot.
RARE: Final = 0.9
ONE_IN: Final = 8
#: Stands for a row that is not in the cache, as None stands for one that is known not to be there.
UNKNOWN: Final = Row(b"", 0)


class RowCache:
    """Bounds the hot rows of all the partitions of a worker.

    Args:
        capacity: bytes of all of them together; 0 keeps none.
    """

    def __init__(self, capacity: int) -> None:
        self.lock = threading.Lock()
        self._generation = capacity // 2
        #: Bytes of the young generation.
        self._used = 0
        self._partitions: WeakSet[CachedRows] = WeakSet()

    def partition(self, load: Callable[[Sequence[bytes]], Sequence[Row | None]]) -> CachedRows:
        """Make room for the rows of a partition; `load` reads those of distinct keys from its store."""
        rows = CachedRows(self, load)
        with self.lock:
            self._partitions.add(rows)
        return rows

    def admit(self, rows: Mapping[bytes, Row | None]) -> bool:
        """Count rows that are to be kept, if they fit into a generation; the caller holds the lock."""
        size = len(rows) * ROW + sum(map(len, rows)) + sum([len(row.value) for row in rows.values() if row is not None])
        if size > self._generation:
            return False
        self._used += size
        if self._used > self._generation:
            for partition in self._partitions:
                partition.age()
            self._used = size
        return True


class CachedRows:
    """The rows of one partition, of which the hot ones are at hand.

    Rows may be looked up in one thread while another one writes.

    Args:
        cache: which bounds them.
        load: reads the rows of distinct keys from the store.
    """

    def __init__(self, cache: RowCache, load: Callable[[Sequence[bytes]], Sequence[Row | None]]) -> None:
        self._cache = cache
        self._load = load
        self._young: dict[bytes, Row | None] = {}
        self._old: dict[bytes, Row | None] = {}
        #: Goes up at the end of each write. Who reads takes it before the first look, so that a row which was read
        #: before the end of a write is not kept after it.
        self._version = 0

    def get(self, key: bytes, /) -> Row | None:
        """Give the row of a key."""
        version = self._version
        row = self._young.get(key, UNKNOWN)
        return self._read({key}, version)[key] if row is UNKNOWN else row

    def get_many(self, keys: Sequence[bytes]) -> list[Row | None]:
        """Give the rows of keys, in their order; a key may be there more than once."""
        version = self._version
        rows = list(map(self._young.get, keys, repeat(UNKNOWN)))
        unknown = {key for key, row in zip(keys, rows, strict=True) if row is UNKNOWN}
        if not unknown:
            return rows
        read = self._read(unknown, version)
        return [read[key] if row is UNKNOWN else row for key, row in zip(keys, rows, strict=True)]

    def _read(self, keys: set[bytes], version: int) -> dict[bytes, Row | None]:
        """Read rows that are not in the young generation, and keep some, unless there was a write meanwhile."""
        old = self._old
        cold = sorted(keys.difference(old))  # neighbours are read together
        rows = dict(zip(cold, self._load(cold), strict=True)) if cold else {}
        if len(rows) < len(keys):
            rows |= {key: old[key] for key in keys.difference(rows)}
        rare = len(cold) > RARE * len(keys) and bool(old)  # until the cache has been full once, all have room
        kept = dict(islice(rows.items(), 0, None, ONE_IN)) if rare else rows
        with self._cache.lock:
            if version == self._version and self._cache.admit(kept):
                self._young.update(kept)
        return rows

    def written(self, rows: Mapping[bytes, Row | None]) -> None:
        """Take in rows that are in the store by now; None was deleted."""
        with self._cache.lock:
            if self._cache.admit(rows):
                self._young.update(rows)
            else:
                self._young, self._old = {}, {}
            self._version += 1

    def clear(self) -> None:
        """Forget all rows."""
        with self._cache.lock:
            self._young, self._old = {}, {}
            self._version += 1

    def age(self) -> None:
        """Make the young generation the old one; the caller holds the lock."""
        self._young, self._old = {}, self._young
