"""Hot rows: those looked up or written lately, kept as Python objects, since a store takes 10 to 50 times as long.

The replacement is hashlru's (Dominic Tarr, https://github.com/dominictarr/hashlru): two generations, of which the
young one becomes the old one when it is full, and the old one is forgotten. A row that is met in the old generation
gets into the young one again, so what is used stays. A hit is one look-up in a dict, without an order to keep.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import islice, repeat
from typing import Final, NamedTuple
from weakref import WeakSet

from streamapp.joins.rows import Row

__all__ = ["Begin", "CachedRows", "RowCache"]

#: Begins to read the rows of distinct keys from a store, maybe in other threads; what it returns waits for the rows.
Begin = Callable[[Sequence[bytes]], Callable[[], Sequence[Row | None]]]

#: Bytes that a row takes besides its key and value: three Python objects with their headers, and a place in a dict.
ROW_OVERHEAD_BYTES: Final = 250
#: Of the rows that are looked up together, the share that was not at hand from which on they are taken for ones that
#: hardly come again, and the one in so many that is kept then (after the bimodal insertion of Qureshi et al., "Adaptive
#: Insertion Policies for High Performance Caching", 2007): the others would only drive out what is hot.
RARE_SHARE: Final = 0.9
KEPT_ONE_IN: Final = 8
#: Stands for a row that is not in the cache, as None stands for one that is known not to be there.
UNKNOWN: Final = Row(b"", 0)


class Lookup(NamedTuple):
    """A look-up that has begun."""

    keys: Sequence[bytes]
    #: See `CachedRows`.
    version: int
    #: The rows of the young generation, `UNKNOWN` for others.
    rows: list[Row | None]
    #: How many are others.
    unknown: int
    #: The rows of the old generation that were met.
    aged: dict[bytes, Row | None]
    #: The keys of the others, each once, and what waits for their rows.
    cold: Sequence[bytes]
    read: Callable[[], Sequence[Row | None]]


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
        #: Bytes of a row, as those were that came last.
        self._mean: float = ROW_OVERHEAD_BYTES
        self._partitions: WeakSet[CachedRows] = WeakSet()

    def partition(self, begin: Begin) -> CachedRows:
        """Make room for the rows of a partition, which are read from its store by this."""
        rows = CachedRows(self, begin)
        with self.lock:
            self._partitions.add(rows)
        return rows

    def admit(self, rows: Mapping[bytes, Row | None]) -> bool:
        """Count rows that are to be kept, if they fit into a generation; the caller holds the lock."""
        size = (
            len(rows) * ROW_OVERHEAD_BYTES
            + sum(map(len, rows))
            + sum([len(row.value) for row in rows.values() if row is not None])
        )
        if rows:
            self._mean = size / len(rows)
        if size > self._generation:
            return False
        self._used += size
        if self._used > self._generation:
            for partition in self._partitions:
                partition.age()
            self._used = size
        return True

    def has_room_ahead(self, keys: int) -> bool:
        """Return whether rows of so many keys may be read ahead: all that are, take a generation's bytes at most."""
        with self.lock:
            return (keys + sum([rows.ahead for rows in self._partitions])) * self._mean <= self._generation


class CachedRows:
    """The rows of one partition, of which the hot ones are at hand.

    Rows may be looked up in one thread while another one writes.
    """

    def __init__(self, cache: RowCache, begin: Begin) -> None:
        self._cache = cache
        self._begin = begin
        #: The look-up that was begun ahead.
        self._ahead: Lookup | None = None
        self._young: dict[bytes, Row | None] = {}
        self._old: dict[bytes, Row | None] = {}
        #: Goes up at the end of each write. Who reads takes it before the first look, so that a row which was read
        #: before the end of a write is not kept after it.
        self._version = 0

    def get(self, key: bytes, /) -> Row | None:
        """Return the row of a key."""
        row = self._young.get(key, UNKNOWN)
        return self.get_many([key])[0] if row is UNKNOWN else row

    def read_ahead(self, keys: Sequence[bytes]) -> None:
        """Begin to read what the next look-up of these keys will need, if nothing is written until then."""
        self._ahead = None
        if self._cache.has_room_ahead(len(keys)):
            self._ahead = self._look_up(keys)

    @property
    def ahead(self) -> int:
        """How many rows are read ahead."""
        return 0 if self._ahead is None else len(self._ahead.cold)

    def get_many(self, keys: Sequence[bytes]) -> list[Row | None]:
        """Return the rows of keys, in their order; a key may be there more than once."""
        ahead = self._ahead
        if ahead is not None and ahead.keys == keys:
            self._ahead = None
            if ahead.version == self._version:
                return self._finish(ahead)
        return self._finish(self._look_up(keys))

    def _look_up(self, keys: Sequence[bytes]) -> Lookup:
        version, old = self._version, self._old
        rows = list(map(self._young.get, keys, repeat(UNKNOWN)))
        unknown = [key for key, row in zip(keys, rows, strict=True) if row is UNKNOWN]
        distinct = dict.fromkeys(unknown)
        aged = {key: old[key] for key in distinct if key in old}
        cold = [key for key in distinct if key not in aged] if aged else list(distinct)
        return Lookup(keys, version, rows, len(unknown), aged, cold, self._begin(cold) if cold else tuple)

    def _finish(self, lookup: Lookup) -> list[Row | None]:
        """Fill in the rows that are not in the young generation, and keep some, unless there was a write meanwhile."""
        keys, version, rows, unknown, aged, cold, read = lookup
        if not unknown:
            return rows
        found = read()
        # Until the cache has been full once, all have room.
        rare = len(cold) > RARE_SHARE * (len(cold) + len(aged)) and bool(self._old)
        kept = dict(islice(zip(cold, found, strict=True), 0, None, KEPT_ONE_IN if rare else None)) | aged
        with self._cache.lock:
            if version == self._version and self._cache.admit(kept):
                self._young.update(kept)
        if unknown == len(cold):  # each of them once: they come in the order in which they were asked for
            following = iter(found)
            return [next(following) if row is UNKNOWN else row for row in rows]
        known = dict(zip(cold, found, strict=True)) | aged
        return [known[key] if row is UNKNOWN else row for key, row in zip(keys, rows, strict=True)]

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
            self._young, self._old, self._ahead = {}, {}, None
            self._version += 1

    def age(self) -> None:
        """Make the young generation the old one; the caller holds the lock."""
        self._young, self._old = {}, self._young
