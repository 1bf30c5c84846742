"""How the records of look-back windows outlive a restart, at the price of one row a batch.

Each batch writes a page with the fields that aggregates take of the records that it brought; a page is deleted once the
time of all that is on it is over. (As `joins.journal` does for whole records that find a match.)
"""

from __future__ import annotations

import bisect
import heapq
from collections import defaultdict
from collections.abc import Sequence
from itertools import repeat
from typing import Final

import msgspec

from streamapp.joins import ordering
from streamapp.joins.state import State
from streamapp.windows.aggregate import Value

__all__ = ["Kept", "RecordPages"]

#: Records of a page; its row must stay far below what a changelog takes (1 MiB), so one is cut in two if it is larger.
PAGE_RECORDS: Final = 5_000
PAGE_BYTES: Final = 256 << 10


class Kept:
    """The records of a key, in the order in which they came, or in that of (time, arrival)."""

    __slots__ = ("numbers", "rows", "times")

    def __init__(self) -> None:
        self.times: list[int] = []
        #: In which order they came among those of all keys.
        self.numbers: list[int] = []
        #: The values of the fields.
        self.rows: list[tuple[Value, ...]] = []

    def sort(self, since: int) -> None:
        """Put them into the order of (time, arrival), and leave out what is before a time (ms)."""
        times = self.times
        order = sorted(range(len(times)), key=times.__getitem__)
        del order[: bisect.bisect_left(order, since, key=times.__getitem__)]
        self.times = [times[n] for n in order]
        self.numbers = [self.numbers[n] for n in order]
        self.rows = [self.rows[n] for n in order]


class _Page(msgspec.Struct, array_like=True, gc=False):
    """Records in the order in which they came, in columns."""

    #: The names of the fields.
    fields: list[str]
    #: The keys that there are, and for each record which one is its.
    keys: list[bytes]
    which: list[int]
    times: list[int]
    columns: list[list[Value]]
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

    def read(self, since: int) -> dict[bytes, Kept]:
        """Return the records by key but for those before a time (ms), in the order of (time, arrival); first of all.

        A field that was not kept is None.
        """
        found: defaultdict[bytes, Kept] = defaultdict(Kept)
        number = 0
        for key, row in self._state.scan():
            page = _decode(row)
            self._note(page.end, ordering.number_of(key))
            missing = [None] * len(page.times)
            named = dict(zip(page.fields, page.columns, strict=True))
            columns = [named.get(field, missing) for field in self._fields]
            rows = zip(*columns, strict=True) if columns else repeat(())
            kept = [found[name] for name in page.keys]
            for which, timestamp, values in zip(page.which, page.times, rows, strict=bool(columns)):
                one = kept[which]
                one.times.append(timestamp)
                one.numbers.append(number)
                one.rows.append(values)
                number += 1
        for one in found.values():
            one.sort(since)
        return {key: one for key, one in found.items() if one.times}

    def forget(self, before: int) -> None:
        """Take the records before a time (ms) off their pages, each of which stays where it is."""
        for key, row in list(self._state.scan()):
            page = _decode(row)
            left = [index for index, timestamp in enumerate(page.times) if timestamp >= before]
            if len(left) < len(page.times):
                for column in (page.which, page.times, *page.columns):
                    column[:] = [column[index] for index in left]
                self._state.put(key, _encode(page))

    def write(self, keys: list[bytes], times: list[int], columns: list[list[Value]], until: int) -> None:
        """Write down the records of a batch, in columns; those after a time (ms) go onto pages of their own."""
        if max(times) > until:
            far = [index for index, timestamp in enumerate(times) if timestamp > until]
            near = [index for index, timestamp in enumerate(times) if timestamp <= until]
            whole: list[list[Value]] = [keys, times, *columns]
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

    def _write(self, records: list[list[Value]]) -> None:
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
