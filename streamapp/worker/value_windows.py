"""The windows of Faust's own tables: which there are, and when they expire, by event time.

Faust (0.15.3, `Table._del_old_keys` in faust/tables/base.py) expires windows by the wall clock, so that those of old
records go while they are counted, and only windows that were written since the start of the worker. Here a window
expires once the records of its partition have gone past it, and those that were there before a restart or a rebalance
expire like the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from faust.types.windows import WindowRange, WindowT

from streamapp.joins import Clock

__all__ = ["ValueWindows", "WindowedKey"]

#: The key of an entry, and its window (s).
WindowedKey = tuple[object, WindowRange]


class ValueWindows:
    """The entries of a windowed table by partition and by the end of their window.

    Args:
        clock: returns an event clock; there is one for each partition.
    """

    def __init__(self, clock: Callable[[], Clock]) -> None:
        self._clocks: dict[int, Clock] = defaultdict(clock)
        self._keys: dict[int, dict[float, set[WindowedKey]]] = defaultdict(lambda: defaultdict(set))

    def clock(self, partition: int) -> Clock:
        """Return the event clock of a partition."""
        return self._clocks[partition]

    def add(self, partition: int, key: WindowedKey) -> None:
        """Take note of an entry that is written."""
        self._keys[partition][key[1][1]].add(key)

    def discard(self, partition: int, key: WindowedKey) -> None:
        """Take note of an entry that is deleted."""
        self._keys[partition][key[1][1]].discard(key)

    def restore(self, partition: int, entries: Iterable[tuple[WindowedKey, int]]) -> None:
        """Begin with the entries that a partition has after its recovery, and the event times (ms) of their rows."""
        self._keys.pop(partition, None)
        self._clocks.pop(partition, None)
        for key, timestamp in entries:
            self.add(partition, key)
            self._clocks[partition].advance(timestamp)

    def expired(self, partition: int, window: WindowT, end: float) -> bool:
        """Return whether windows of this end (s) have expired."""
        return window.stale(end, self._clocks[partition].time / 1000)

    def take(self, window: WindowT) -> Iterator[tuple[int, WindowedKey]]:
        """Take out the entries whose window has expired, with their partition, the oldest window first."""
        for partition, ends in self._keys.items():
            for end in sorted(ends):
                if not self.expired(partition, window, end):
                    break
                yield from ((partition, key) for key in ends.pop(end))
