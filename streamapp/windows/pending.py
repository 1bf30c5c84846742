"""Records that are in the aggregates of no window yet, by the windows that they are in.

A large batch of many keys has few records for each window that it changes. So what it brought is written to the state
as it came, on a page (`record_pages`), for as long as that is less; then the windows are, when there are many records
for each: their aggregates take these together, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Final, Generic, NamedTuple, TypeVar

from streamapp.joins.clock import BEGINNING, END
from streamapp.joins.state import State
from streamapp.windows.aggregate import Place, Value
from streamapp.windows.look_back_plan import Plan
from streamapp.windows.record_pages import RecordPages
from streamapp.windows.windowed_aggregate import WindowedAggregate

__all__ = ["Arrived", "Pages", "Pending"]

W = TypeVar("W")
V = TypeVar("V")

#: Records of a batch that is worth a page; and of all pages at most: a start reads so many in less than a second.
PAGE_RECORDS_LEAST: Final = 500
PAGES_RECORDS_MOST: Final = 200_000
#: Records on pages for each window that they change, at most.
RECORDS_A_WINDOW: Final = 16


class Arrived(NamedTuple):
    """The records of a key: their number, the values of each field, the time (ms) of the latest, and where they stand.

    The places are empty if no aggregate asks for them.
    """

    key: bytes
    records: int
    columns: Sequence[Sequence[Value]]
    latest: int
    places: Sequence[Place]


class Pending(Generic[W]):
    """Records whose times are ``low <= timestamp < high`` (ms), so that they are in the same windows.

    Args:
        windows: those of them that are open.
        partly: whether others are closed.
        fields: how many fields the aggregates take.
    """

    __slots__ = ("columns", "high", "keys", "low", "numbers", "paged", "partly", "seen", "times", "windows")

    def __init__(self, low: int, high: int, windows: Sequence[W], fields: int, *, partly: bool) -> None:
        self.low, self.high = low, high
        self.windows = windows
        self.partly = partly
        self.keys: list[bytes] = []
        self.times: list[int] = []
        self.columns: list[list[Value]] = [[] for _ in range(fields)]
        #: In which order they came, if aggregates ask where records stand.
        self.numbers: list[int] = []
        #: How many of them are on pages, and the keys of these.
        self.paged = 0
        self.seen: set[bytes] = set()

    def put(
        self, keys: Sequence[bytes], times: Sequence[int], numbers: Sequence[int], *columns: Sequence[Value]
    ) -> None:
        """Add records: their keys, times (ms), numbers in the order of arrival, and the values of each field."""
        self.keys += keys
        self.times += times
        self.numbers += numbers
        for column, values in zip(self.columns, columns, strict=True):
            column += values

    def take(self) -> Iterator[Arrived]:
        """Take the records out, by key."""
        keys, times, columns, numbers = self.keys, self.times, self.columns, self.numbers
        self.keys, self.times, self.columns, self.numbers = [], [], [[] for _ in columns], []
        self.unwritten()
        if len(keys) == 1:
            place = [Place(times[0], numbers[0])] if numbers else ()
            return iter([Arrived(keys[0], 1, columns, times[0], place)])
        by_key = _by_key(keys, times)
        return map(
            Arrived,
            by_key,
            map(len, by_key.values()),
            zip(*[_by_key(keys, column).values() for column in columns], strict=True) if columns else repeat(()),
            map(max, by_key.values()),
            _by_key(keys, map(Place, times, numbers)).values() if numbers else repeat(()),
        )

    def unwritten(self) -> None:
        """Take note that none of the records is on a page."""
        self.paged = 0
        self.seen.clear()


def _by_key(keys: Sequence[bytes], values: Iterable[V]) -> Mapping[bytes, list[V]]:
    """Return the values of each key; the keys are in the order in which they came."""
    found: defaultdict[bytes, list[V]] = defaultdict(list)
    for key, value in zip(keys, values, strict=True):
        found[key].append(value)
    return found


class Pages:
    """What came since the windows were written, in a section of the state.

    Args:
        join: the aggregates, which take scalars only: these are the same once they are read again.
        state: the section.
    """

    def __init__(self, join: WindowedAggregate, state: State) -> None:
        self._pages = RecordPages(state, Plan([(aggregate, 0) for aggregate in join.aggregates.values()]).fields)
        #: Records on pages.
        self._count = 0

    def read(self) -> Iterator[tuple[bytes, int, int, Sequence[Value]]]:
        """Go through the keys, times (ms), numbers in the order of arrival, and fields on pages; first of all."""
        for key, kept in self._pages.read(BEGINNING).items():
            self._count += len(kept.times)
            for timestamp, number, fields in zip(kept.times, kept.numbers, kept.rows, strict=True):
                yield key, timestamp, number, fields

    def keep(self, pending: Iterable[Pending[W]]) -> bool:
        """Write what is pending onto pages, as far as it is not; returns False if it is better to write the windows."""
        came = [(one, one.keys[one.paged :]) for one in pending]
        new, changed = 0, 0
        for one, keys in came:
            new += len(keys)
            one.seen.update(keys)
            changed += len(one.seen) * len(one.windows)
        if new < PAGE_RECORDS_LEAST or self._count + new > min(RECORDS_A_WINDOW * changed, PAGES_RECORDS_MOST):
            return False
        for one, keys in came:
            if keys:
                columns = [column[one.paged :] for column in one.columns]
                self._pages.write(keys, one.times[one.paged :], columns, END)
                one.paged = len(one.keys)
        self._count += new
        return True

    def drop(self) -> None:
        """Delete the pages."""
        self._pages.drop(END)
        self._count = 0
