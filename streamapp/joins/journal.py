"""A journal: how a buffer of records outlives a restart, at the price of one row a batch.

A row for each record would be three changes in the changelog for each: written, marked when it finds its match,
deleted when its time is over. But which records are in a buffer follows from what came in and from the clock. So
each batch writes one page, with the records that it brought and the numbers of those that found their first match
in it; a page is deleted once the time of all that is on it is over. (Kafka Streams too drops whole segments of a
window store.)
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from streamapp.joins import ordering
from streamapp.joins.records import Buffered
from streamapp.joins.state import State

__all__ = ["Journal"]

#: Bytes of records after which a page is full: its row must stay far below what a changelog takes (1 MiB).
FULL: Final = 256 << 10


class _Page(msgspec.Struct, array_like=True, gc=False):
    """Records in the order of their numbers, and the numbers of earlier ones that were matched meanwhile."""

    records: Sequence[Buffered]
    matched: Sequence[int]
    #: A time (ms) after which none of all these is.
    end: int


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Page).decode


class Journal:
    """The pages of one buffer, in a section of the state."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._next = 0
        #: The number of the next record, as far as was read.
        self.next = 0
        #: (end, number) of the pages, a heap.
        self._pages: list[tuple[int, int]] = []

    def read(self) -> list[Buffered]:
        """Read all records, in the order in which they came; to be done first of all."""
        records: dict[int, Buffered] = {}
        for key, row in self._state.scan():
            page = _decode(row)
            records.update((record.number, record) for record in page.records)
            for number in page.matched:
                # The page of a record may be gone before the page that marks it.
                if number in records:
                    records[number].matched = True
            if page.records:
                self.next = max(self.next, page.records[-1].number + 1)
            self._note(page.end, ordering.number_of(key))
        return list(records.values())

    def forget(self, before: int) -> None:
        """Take the records with a smaller timestamp (ms) off their pages, each of which stays where it is.

        So a crash amid the commit of it loses none of the others: page by page they are there, before and after it.
        """
        for key, row in list(self._state.scan()):
            page = _decode(row)
            left = [record for record in page.records if record.timestamp >= before]
            if len(left) < len(page.records):
                self._state.put(key, _encode(_Page(left, page.matched, page.end)))

    def write(self, records: Sequence[Buffered], matched: Sequence[Buffered], end: int) -> None:
        """Write down what a batch brought: new records, as they are after it, and earlier ones that were matched.

        None of all these is after `end` (ms).
        """
        if records or matched:
            for row in _pages(records, [record.number for record in matched], end):
                self._state.put(ordering.number(self._next), row)
                self._note(end, self._next)

    def drop(self, before: int) -> None:
        """Delete the pages on which all timestamps are surely smaller than ``before`` (ms)."""
        while self._pages and self._pages[0][0] < before:
            self._state.delete(ordering.number(heapq.heappop(self._pages)[1]))

    def _note(self, end: int, number: int) -> None:
        heapq.heappush(self._pages, (end, number))
        self._next = number + 1


def _pages(records: Sequence[Buffered], matched: Sequence[int], end: int) -> Iterator[bytes]:
    """Make pages, none of which is larger than it may be, but for one with a single record."""
    row = _encode(_Page(records, matched, end))
    if len(row) <= FULL or len(records) <= 1:
        yield row
    else:
        middle = len(records) // 2
        yield from _pages(records[:middle], matched, end)
        yield from _pages(records[middle:], (), end)
