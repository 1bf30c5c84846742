"""How the records of look-back windows outlive a restart, at the price of one row a batch.

Each batch writes a page with the fields that aggregates take of the records that it brought; a page is deleted once the
time of all that is on it is over. (As `joins.journal` does for whole records that find a match.)
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from streamapp.joins import ordering
from streamapp.joins.state import State

__all__ = ["RecordPages", "Taken"]

#: Records of a page; its row must stay far below what a changelog takes (1 MiB), so one is cut in two if it is larger.
PAGE_RECORDS: Final = 5_000
PAGE_BYTES: Final = 256 << 10


class Taken(NamedTuple):
    """What is kept of a record: the values are those of the fields."""

    key: bytes
    timestamp: int
    values: Sequence[Any]


class _Page(msgspec.Struct, array_like=True, gc=False):
    """Records in the order in which they came, in columns."""

    #: The names of the fields.
    fields: list[str]
    #: The keys that there are, and for each record which one is its.
    keys: list[bytes]
    which: list[int]
    times: list[int]
    columns: list[list[Any]]
    #: A time (ms) after which there is none.
    end: int


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Page).decode


class RecordPages:
    """The pages, in a section of the state.

    Args:
        fields: the names of the values of a record.
    """

    def __init__(self, state: State, fields: Sequence[str]) -> None:
        self._state = state
        self._fields = list(fields)
        self._next = 0
        #: (end, number) of the pages, a heap.
        self._pages: list[tuple[int, int]] = []

    def read(self, since: int) -> Iterator[Taken]:
        """Go through the records but for those before a time (ms), in the order in which they came; first of all.

        A field that was not kept is None.
        """
        for key, row in self._state.scan():
            page = _decode(row)
            self._note(page.end, ordering.number_of(key))
            missing = [None] * len(page.times)
            named = dict(zip(page.fields, page.columns, strict=True))
            columns = [named.get(field, missing) for field in self._fields]
            rows = zip(*columns, strict=True) if columns else ((),) * len(page.times)
            for which, timestamp, values in zip(page.which, page.times, rows, strict=True):
                if timestamp >= since:
                    yield Taken(page.keys[which], timestamp, values)

    def forget(self, before: int) -> None:
        """Take the records before a time (ms) off their pages, each of which stays where it is."""
        for key, row in list(self._state.scan()):
            page = _decode(row)
            left = [index for index, timestamp in enumerate(page.times) if timestamp >= before]
            if len(left) < len(page.times):
                for column in (page.which, page.times, *page.columns):
                    column[:] = [column[index] for index in left]
                self._state.put(key, _encode(page))

    def write(self, keys: list[bytes], times: list[int], columns: list[list[Any]], until: int) -> None:
        """Write down the records of a batch, in columns; those after a time (ms) go onto pages of their own."""
        if max(times) > until:
            far = [index for index, timestamp in enumerate(times) if timestamp > until]
            near = [index for index, timestamp in enumerate(times) if timestamp <= until]
            whole: list[list[Any]] = [keys, times, *columns]
            groups = [[[column[index] for index in each] for column in whole] for each in (near, far)]
        else:
            groups = [[keys, times, *columns]]
        for group in groups:
            for begin in range(0, len(group[0]), PAGE_RECORDS):
                self._write([column[begin : begin + PAGE_RECORDS] for column in group])

    def drop(self, until: int) -> None:
        """Delete the pages without a record after a time (ms)."""
        while self._pages and self._pages[0][0] <= until:
            self._state.delete(ordering.number(heapq.heappop(self._pages)[1]))

    def _write(self, records: list[list[Any]]) -> None:
        keys, times, *columns = records
        names = list(dict.fromkeys(keys))
        which = list(map(dict(zip(names, range(len(names)), strict=True)).__getitem__, keys))
        row = _encode(_Page(self._fields, names, which, times, columns, end := max(times)))
        if len(row) > PAGE_BYTES and len(times) > 1:
            middle = len(times) // 2
            self._write([column[:middle] for column in records])
            self._write([column[middle:] for column in records])
        else:
            self._state.put(ordering.number(self._next), row)
            self._note(end, self._next)

    def _note(self, end: int, number: int) -> None:
        heapq.heappush(self._pages, (end, number))
        self._next = number + 1
