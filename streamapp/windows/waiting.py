"""What waits for the clock, in the order of (time, arrival)."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Generic, TypeVar

from streamapp.joins.clock import END

__all__ = ["Waiting"]

T = TypeVar("T")


class Waiting(Generic[T]):
    """Things by event time; those of one time in the order in which they came."""

    def __init__(self) -> None:
        #: A heap.
        self._times: list[int] = []
        self._at: dict[int, list[T]] = {}
        self.count = 0

    def add(self, timestamp: int, thing: T) -> None:
        """Put something in that waits for a time (ms)."""
        self.count += 1
        at = self._at.get(timestamp)
        if at is None:
            self._at[timestamp] = [thing]
            heapq.heappush(self._times, timestamp)
        else:
            at.append(thing)

    @property
    def first(self) -> int:
        """The time (ms) of the first of them; `END` if there are none."""
        return self._times[0] if self._times else END

    def take(self, until: int) -> Iterator[tuple[int, T]]:
        """Take out those up to a time (ms)."""
        while self._times and self._times[0] <= until:
            timestamp = heapq.heappop(self._times)
            things = self._at.pop(timestamp)
            self.count -= len(things)
            for thing in things:
                yield timestamp, thing
