"""The timers of the keys of a partition, of one clock: one of each name a key, found in the order of their times."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from streamapp.functions.context import Timer
from streamapp.joins import State, ordering
from streamapp.joins.clock import END

__all__ = ["Timers"]

Id = tuple[bytes, str]


class Timers:
    """Timers, in a section of the state; all are in memory, too.

    One that is set again for later, as with each record of a key whose silence is to be told, stays where it is in the
    order: at that earlier time it is looked at, and put where it belongs.
    """

    def __init__(self, state: State, *, wall: bool) -> None:
        self._state = state
        self._wall = wall
        #: When each is over (ms).
        self._times: dict[Id, int] = {}
        #: Where each is in the order (ms), which is not later than that; also of those that were cancelled.
        self._placed: dict[Id, int] = {}
        self._order: list[tuple[int, bytes, str]] = []
        #: What is not written yet.
        self._changed: set[Id] = set()
        for row, time in state.scan():
            size = int.from_bytes(row[:4], "big")
            self._place((row[4 : 4 + size], row[4 + size :].decode()), ordering.time_of(time))
        #: None of them is over before this (ms).
        self.first = self._order[0][0] if self._order else END

    def __len__(self) -> int:
        return len(self._times)

    def set(self, key: bytes, name: str, time: int) -> None:
        """Set a timer for a time (ms), in place of the one of this name."""
        self._place((key, name), time)
        self._changed.add((key, name))
        self.first = min(self.first, time)

    def cancel(self, key: bytes, name: str) -> None:
        """Forget a timer, if there is one."""
        if self._times.pop((key, name), None) is not None:
            self._changed.add((key, name))

    def take(self, before: int) -> Timer | None:
        """Take out the first timer that is over before a time (ms): by time, key and name."""
        order = self._order
        while order and order[0][0] < before:
            placed, key, name = heapq.heappop(order)
            id_ = (key, name)
            if self._placed.get(id_) != placed:
                continue  # it is in another place, too
            del self._placed[id_]
            time = self._times.get(id_)
            if time is None:
                continue
            if time > placed:
                self._place(id_, time)
                continue
            del self._times[id_]
            self._changed.add(id_)
            self.first = placed
            return Timer(key, name, time, self._wall)
        self.first = order[0][0] if order else END
        return None

    def of(self, key: bytes) -> Iterator[Timer]:
        """Go through the timers of a key, by their names."""
        group = ordering.grouped(key)
        for row, time in self._state.scan(group):
            yield Timer(key, row[len(group) :].decode(), ordering.time_of(time), self._wall)

    def write(self) -> None:
        """Write what was changed to the state."""
        rows = dict[bytes, bytes | None]()
        for key, name in self._changed:
            time = self._times.get((key, name))
            rows[ordering.grouped(key) + name.encode()] = None if time is None else ordering.time(time)
        self._state.update(rows)
        self._changed.clear()

    def _place(self, id_: Id, time: int) -> None:
        self._times[id_] = time
        if self._placed.get(id_, END) > time:
            self._placed[id_] = time
            heapq.heappush(self._order, (time, *id_))
