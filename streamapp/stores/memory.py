"""Tables in memory: fast, and read from the changelog at each start."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import threading
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import Final

from sortedcontainers import SortedDict

from streamapp.joins.rows import Row
from streamapp.stores.partition import Changes
from streamapp.stores.snapshot import ClosedError, Measure, Piece, PositionError, Snapshot, Snapshots
from streamapp.stores.standing import Standing

__all__ = ["MemoryPartition", "MemorySnapshot", "OrderedMemoryPartition"]

#: Rows that a scan reads at once: meanwhile no other thread writes.
SCANNED_ROWS: Final = 100
#: Rows of which the sizes tell that of all of them.
MEASURED_ROWS: Final = 200
#: Bytes that a row takes besides its key and value: three Python objects with their headers, and places in a dict and
#: in the heap of times.
ROW_OVERHEAD_BYTES: Final = 350
#: Of a position, at most.
DIGITS: Final = 18
#: Stands for a row that was not changed, as None stands for one that was not there.
UNCHANGED: Final = Row(b"", 0)


class MemoryPartition:
    """One partition's rows in a dict, with a heap of their event times."""

    def __init__(self, rows: MutableMapping[bytes, Row] | None = None) -> None:
        self._rows = {} if rows is None else rows
        #: (event time, key) of each row, and of rows that are no longer so: those are dropped when met.
        self._times: list[tuple[int, bytes]] = []
        self.offset: int | None = None
        self.standing = Standing()
        self._newest: int | None = None
        self.get = self._rows.get
        #: Held while the rows are changed.
        self._lock = threading.Lock()
        self._closed = False
        self._snapshots: Snapshots[MemorySnapshot] = Snapshots()

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
        with self._lock:
            self._keep(changes)
            newest = self._newest
            for key, row in changes.items():
                if row is None:
                    self._rows.pop(key, None)
                else:
                    self._rows[key] = row
                    heapq.heappush(self._times, (row.timestamp, key))
                    if newest is None or row.timestamp > newest:
                        newest = row.timestamp
            if len(self._times) > 2 * len(self._rows) + 1000:
                self._times = [(row.timestamp, key) for key, row in self._rows.items()]
                heapq.heapify(self._times)
            self.offset, self._newest = offset, newest

    def _keep(self, keys: Iterable[bytes]) -> None:
        """Keep the rows of keys that are about to change, for the snapshots that are open."""
        if self._snapshots:
            for snapshot in self._snapshots.all():
                snapshot.keep(keys)

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

    def snapshot(self) -> MemorySnapshot:
        """Return all rows as they are now: the keys are copied, in one step of 10 to 30 ms for a million."""
        with self._open_for_others():
            return self._snapshots.add(MemorySnapshot(list(self._rows), self._rows, self.offset or 0, self._snapshots))

    def __len__(self) -> int:
        return len(self._rows)

    def measure(self) -> Measure:
        """Return how much there is; the bytes by the sizes of some rows."""
        with self._open_for_others():
            count = len(self._rows)
            some = list(itertools.islice(self._rows.items(), MEASURED_ROWS))
        mean = sum(len(key) + len(row.value) for key, row in some) / max(1, len(some)) + ROW_OVERHEAD_BYTES
        return Measure(count, int(count * mean), self._newest, self.offset or 0)

    @contextlib.contextmanager
    def _open_for_others(self) -> Iterator[None]:
        """Keep the rows as they are for a moment, in any thread; a ClosedError if they are forgotten."""
        with self._lock:
            if self._closed:
                raise ClosedError
            yield

    def clear(self) -> None:
        """Remove all rows and the offset."""
        with self._lock:
            self._snapshots.close()
            self._rows.clear()
            self._times.clear()
            self.offset = self._newest = None
            self.standing = Standing()

    def close(self) -> None:
        """Forget the rows: the changelog has them."""
        self._closed = True
        self.clear()


class OrderedMemoryPartition(MemoryPartition):
    """The same with the keys in order."""

    def __init__(self) -> None:
        self._sorted = SortedDict[bytes, Row]()
        super().__init__(self._sorted)

    def write(self, changes: Changes, offset: int) -> None:
        """Write rows and the changelog offset after them; nobody asks for the oldest ones."""
        with self._lock:
            self._keep(changes)
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


class MemorySnapshot(Snapshot):
    """The keys at one moment, and those of their rows that were changed since; a position is a place among the keys."""

    def __init__(
        self,
        keys: Sequence[bytes],
        rows: MutableMapping[bytes, Row],
        offset: int,
        snapshots: Snapshots[MemorySnapshot],
    ) -> None:
        super().__init__(offset)
        self._keys = keys
        self._rows = rows
        self._before: dict[bytes, Row | None] = {}
        self._snapshots = snapshots

    def keep(self, keys: Iterable[bytes]) -> None:
        """Keep the rows of keys that are about to change."""
        before, get = self._before, self._rows.get
        for key in keys:
            if key not in before:
                before[key] = get(key)

    def _read(self, position: bytes, limit: int) -> Piece:
        start = self._place(position)
        keys = self._keys[start : start + limit]
        # The rows first: one that is changed meanwhile was kept before.
        now = list(map(self._rows.get, keys))
        rows = []
        for key, row in zip(keys, now, strict=True):
            then = self._before.get(key, UNCHANGED)
            if (found := row if then is UNCHANGED else then) is not None:
                rows.append((key, found))
        end = start + len(keys)
        return Piece(rows, b"%d" % end if end < len(self._keys) else None)

    def after(self, position: bytes, count: int, key: bytes) -> bytes:
        """Return the position after so many rows of the piece at a position."""
        return b"%d" % (self._place(position) + count)

    def _place(self, position: bytes) -> int:
        if position and not (position.isdigit() and len(position) <= DIGITS and int(position) <= len(self._keys)):
            raise PositionError
        return int(position or b"0")

    def _close(self) -> None:
        self._snapshots.remove(self)
        self._keys, self._rows, self._before = [], {}, {}
