"""Records in the order of their timestamps."""

from __future__ import annotations

import bisect
import heapq
import itertools
import operator
from collections.abc import Iterator
from typing import Final

from streamapp.joins.clock import END
from streamapp.joins.records import Buffered

__all__ = ["Timeline"]

_TIME: Final = operator.attrgetter("timestamp")


class Timeline:
    """Records by event time: as cheap to add out of order as in order, and cheap to take from the beginning.

    They lie unsorted in slices of time (of `width` ms); a slice is sorted once, when its time comes (a calendar queue:
    R. Brown, CACM 31(10), 1988).
    """

    def __init__(self, width: int) -> None:
        self._width = max(1, width)
        self._slices: dict[int, list[Buffered]] = {}
        #: Numbers of the slices, a heap.
        self._order: list[int] = []
        #: Number of a slice that is sorted, from the newest record to the oldest: usually the first one.
        self._sorted: int | None = None

    def add(self, record: Buffered) -> None:
        """Put a record in."""
        number = record.timestamp // self._width
        records = self._slices.get(number)
        if records is None:
            self._slices[number] = [record]
            heapq.heappush(self._order, number)
        elif number == self._sorted:
            bisect.insort_left(records, record, key=lambda other: -other.timestamp)
        else:
            records.append(record)

    def __iter__(self) -> Iterator[Buffered]:
        """Go through all records, in no order; to be left before the next change."""
        return itertools.chain.from_iterable(self._slices.values())

    def take(self, before: int) -> list[Buffered]:
        """Take out the records whose timestamp is smaller than ``before``, in no order."""
        taken: list[Buffered] = []
        while self._order and self._order[0] * self._width < before:
            number = self._order[0]
            if (number + 1) * self._width <= before:
                taken += self._slices[number]
            else:
                records = self._first()
                while records and records[-1].timestamp < before:
                    taken.append(records.pop())
                if records:
                    break
            del self._slices[heapq.heappop(self._order)]
        return taken

    def at(self, timestamp: int) -> list[Buffered]:
        """Give the records of one time (ms); looks at a slice."""
        return [one for one in self._slices.get(timestamp // self._width, ()) if one.timestamp == timestamp]

    @property
    def calm(self) -> int:
        """A timestamp (ms) such that no older record is without a match; `END` if there are no records."""
        if not self._order:
            return END
        for record in reversed(self._first()):
            if not record.matched:
                return record.timestamp
        return (self._order[0] + 1) * self._width

    def _first(self) -> list[Buffered]:
        number = self._order[0]
        records = self._slices[number]
        if number != self._sorted:
            records.sort(key=_TIME, reverse=True)
            self._sorted = number
        return records
