"""A journal: how a buffer of records outlives a restart, at the price of one row a batch.

A row for each record would be three changes in the changelog for each: written, marked when it finds its match,
deleted when its time is over. But which records are in a buffer follows from what came in and from the clock. So
each batch writes one page, with the records that it brought and the numbers of those that found their first match
in it; a page is deleted once the time of all that is on it is over. (Kafka Streams too drops whole segments of a
window store.)
"""

from __future__ import annotations

import bisect
import heapq
import itertools
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
    """Columns of records whose numbers begin with `first`, and the numbers of records that were matched."""

    first: int
    keys: list[bytes]
    values: list[bytes]
    timestamps: list[int]
    offsets: list[int]
    matched: list[int]
    #: The largest timestamp of all these.
    end: int

    def records(self) -> Iterator[Buffered]:
        """Give the records as they were when they came."""
        columns = zip(self.keys, self.values, self.timestamps, self.offsets, strict=True)
        return (Buffered(*column, number) for number, column in enumerate(columns, self.first))


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Page).decode


class Journal:
    """The pages of one buffer.

    Args:
        state: a section of the state for the pages.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._next = 0
        #: (end, number) of the pages, a heap.
        self._pages: list[tuple[int, int]] = []

    def read(self) -> list[Buffered]:
        """Read all records, in the order in which they came; to be done first of all."""
        records: dict[int, Buffered] = {}
        for key, row in self._state.scan():
            page = _decode(row)
            records.update((record.number, record) for record in page.records())
            for number in page.matched:
                # The page of a record may be gone before the page that marks it.
                if number in records:
                    records[number].matched = True
            self._note(page, ordering.number_of(key))
        return list(records.values())

    def write(self, records: Sequence[Buffered], matched: Sequence[Buffered]) -> None:
        """Write down what a batch brought: records with consecutive numbers, and those that were matched."""
        for part in _parts(records) if records else [[]] if matched else []:
            page = _Page(
                part[0].number if part else 0,
                [record.key for record in part],
                [record.value for record in part],
                [record.timestamp for record in part],
                [record.offset for record in part],
                [record.number for record in matched],
                max(record.timestamp for record in [*part, *matched]),
            )
            self._state.put(ordering.number(self._next), _encode(page))
            self._note(page, self._next)
            matched = ()

    def drop(self, before: int) -> None:
        """Delete the pages on which all timestamps are smaller than ``before``."""
        while self._pages and self._pages[0][0] < before:
            self._state.delete(ordering.number(heapq.heappop(self._pages)[1]))

    def _note(self, page: _Page, number: int) -> None:
        heapq.heappush(self._pages, (page.end, number))
        self._next = number + 1


def _parts(records: Sequence[Buffered]) -> Iterator[Sequence[Buffered]]:
    """Cut records into pages."""
    sizes = list(itertools.accumulate(len(record.key) + len(record.value) for record in records))
    begin = 0
    while begin < len(records):
        full = FULL + (sizes[begin - 1] if begin else 0)
        end = max(begin + 1, bisect.bisect_right(sizes, full, begin))
        yield records[begin:end]
        begin = end
