"""A calendar: what is due by event time, in slices (a calendar queue: R. Brown, CACM 31(10), 1988)."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

__all__ = ["Calendar"]

T = TypeVar("T")


class Calendar(Generic[T]):
    """Things by event time, in slices of `width` ms: cheap to add out of order too, and to take from the beginning."""

    def __init__(self, width: int) -> None:
        self._width = max(1, width)
        self._slices: dict[int, list[T]] = {}
        #: Numbers of the slices, a heap.
        self._order: list[int] = []

    def add(self, time: int, thing: T) -> None:
        """Put something in that is due at a time (ms)."""
        number = time // self._width
        slice_ = self._slices.get(number)
        if slice_ is None:
            self._slices[number] = [thing]
            heapq.heappush(self._order, number)
        else:
            slice_.append(thing)

    def take(self, before: int) -> list[T]:
        """Take out the slices that end before a time (ms)."""
        taken: list[T] = []
        while self._order and (self._order[0] + 1) * self._width <= before:
            taken += self._slices.pop(heapq.heappop(self._order))
        return taken
