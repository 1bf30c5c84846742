"""What came since windows were written to the state: it is written as it came, for as long as that is less.

A large batch of many keys has few records for each window that it changes. So it goes onto a page (`record_pages`), and
the windows are written when there are many records for each: their aggregates take these together, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from streamapp.joins.clock import BEGINNING, END
from streamapp.joins.state import State
from streamapp.windows.aggregate import Value
from streamapp.windows.look_back_plan import Plan
from streamapp.windows.record_pages import RecordPages
from streamapp.windows.windowed_aggregate import WindowedAggregate

__all__ = ["Unwritten"]

#: Records of a batch that is worth a page; and of all pages at most: a start reads so many in less than a second.
PAGE_RECORDS_LEAST: Final = 500
PAGES_RECORDS_MOST: Final = 200_000
#: Records on pages for each window that they change, at most.
RECORDS_A_WINDOW: Final = 8


class Unwritten:
    """The records on pages, and those of the batch that is under way.

    Args:
        join: the aggregates, which take scalars only: these are the same once they are read again.
        state: a section for the pages.
    """

    def __init__(self, join: WindowedAggregate, state: State) -> None:
        plan = Plan([(aggregate, 0) for aggregate in join.aggregates.values()])
        self._picked, self._column = plan.picked, plan.column
        self._pages = RecordPages(state, plan.fields)
        #: Records on pages.
        self.count = 0
        #: The keys, times (ms) and values of the records of the batch.
        self.keys: list[bytes] = []
        self.times: list[int] = []
        self.rows: list[Sequence[Value]] = []

    def read(self) -> Iterator[tuple[bytes, int, int, Sequence[Value]]]:
        """Go through the keys, times (ms), numbers in the order of arrival, and values on pages; first of all."""
        for key, kept in self._pages.read(BEGINNING).items():
            self.count += len(kept.times)
            for timestamp, number, fields in zip(kept.times, kept.numbers, kept.rows, strict=True):
                yield key, timestamp, number, [None if column is None else fields[column] for column in self._column]

    def keep(self, changed: int) -> bool:
        """Write what came onto a page; returns whether that was better than to write the windows changed by now."""
        self.count += len(self.times)
        if len(self.times) < PAGE_RECORDS_LEAST or self.count > min(RECORDS_A_WINDOW * changed, PAGES_RECORDS_MOST):
            return False
        columns = [[row[slot] for row in self.rows] for slot in self._picked]
        self._pages.write(self.keys, self.times, columns, END)
        self._clear()
        return True

    def written(self) -> None:
        """Take note that all windows are in the state: there is nothing to be kept besides."""
        self._pages.drop(END)
        self.count = 0
        self._clear()

    def _clear(self) -> None:
        self.keys, self.times, self.rows = [], [], []
