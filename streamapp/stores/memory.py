"""Tables in memory: fast, and read from the changelog at each start."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Final

from sortedcontainers import SortedDict

from streamapp.joins.rows import Row
from streamapp.stores.partition import Changes
from streamapp.stores.standing import Standing

__all__ = ["MemoryPartition", "OrderedMemoryPartition"]

#: Rows that a scan reads at once: meanwhile no other thread writes.
SCANNED_ROWS: Final = 100


class MemoryPartition:
    """One partition's rows in a dict, with a heap of their event times."""

    def __init__(self, rows: MutableMapping[bytes, Row] | None = None) -> None:
        self._rows = {} if rows is None else rows
        #: (event time, key) of each row, and of rows that are no longer so: those are dropped when met.
        self._times: list[tuple[int, bytes]] = []
        self.offset: int | None = None
        self.standing = Standing()
        self.get = self._rows.get

    def stand(self, standing: Standing) -> None:
        """Keep how it stands to its changelog."""
        self.standing = standing

    def get_many(self, keys: Sequence[bytes], /) -> list[Row | None]:
        """Return the rows of keys, in their order; a key may be there more than once."""
        return list(map(self._rows.get, keys))

    def read_ahead(self, keys: Sequence[bytes], /) -> None:
        """Do nothing: all rows are at hand."""

    def write(self, changes: Changes, offset: int) -> None:
        """Write rows and the changelog offset after them."""
        for key, row in changes.items():
            if row is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = row
                heapq.heappush(self._times, (row.timestamp, key))
        if len(self._times) > 2 * len(self._rows) + 1000:
            self._times = [(row.timestamp, key) for key, row in self._rows.items()]
            heapq.heapify(self._times)
        self.offset = offset

    def restore(self, changes: Changes, offset: int) -> None:
        """Write rows and the changelog offset after them."""
        self.write(changes, offset)

    def expired(self, before: int, limit: int) -> list[bytes]:
        """Return keys of rows whose event time (ms) is smaller than `before`, the oldest first."""
        found: dict[bytes, int] = {}
        while self._times and self._times[0][0] < before and len(found) < limit:
            timestamp, key = heapq.heappop(self._times)
            row = self._rows.get(key)
            if row is not None and row.timestamp == timestamp:
                found[key] = timestamp
        # The rows are still there: they go by a write, after their tombstones are in the changelog.
        for key, timestamp in found.items():
            heapq.heappush(self._times, (timestamp, key))
        return list(found)

    def items(self) -> Iterator[tuple[bytes, Row]]:
        """Go through all rows."""
        return iter(list(self._rows.items()))

    def __len__(self) -> int:
        return len(self._rows)

    def clear(self) -> None:
        """Remove all rows and the offset."""
        self._rows.clear()
        self._times.clear()
        self.offset = None
        self.standing = Standing()

    def close(self) -> None:
        """Forget the rows: the changelog has them."""
        self.clear()


class OrderedMemoryPartition(MemoryPartition):
    """The same with the keys in order."""

    def __init__(self) -> None:
        self._sorted = SortedDict[bytes, Row]()
        super().__init__(self._sorted)
        self._lock = threading.Lock()

    def write(self, changes: Changes, offset: int) -> None:
        """Write rows and the changelog offset after them; nobody asks for the oldest ones."""
        with self._lock:
            for key, row in changes.items():
                if row is None:
                    self._rows.pop(key, None)
                else:
                    self._rows[key] = row
            self.offset = offset

    def expired(self, before: int, limit: int) -> list[bytes]:
        """Refuse: there is no index of times."""
        raise TypeError("the rows of an ordered table do not expire")

    def scan(self, start: bytes, stop: bytes | None, /) -> Iterator[tuple[bytes, Row]]:
        """Go through the rows with ``start <= key < stop`` in order; None is without end."""
        inclusive = True
        while True:
            with self._lock:
                keys = self._sorted.irange(start, stop, (inclusive, False))
                found = [(key, self._rows[key]) for key in itertools.islice(keys, SCANNED_ROWS)]
            yield from found
            if len(found) < SCANNED_ROWS:
                return
            start, inclusive = found[-1][0], False
