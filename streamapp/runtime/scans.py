"""Rows in the order of their keys, of several sources of which the newer ones hide the older ones."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator

from sortedcontainers import SortedDict

from streamapp.joins.rows import Row

__all__ = ["in_range", "newest"]

Scan = Iterator[tuple[bytes, Row | None]]


def in_range(changes: SortedDict[bytes, Row | None], start: bytes, stop: bytes | None) -> Scan:
    """Go through changes with ``start <= key < stop`` in order; None is without end."""
    return ((key, changes[key]) for key in changes.irange(start, stop, (True, False)))


def newest(*sources: Iterable[tuple[bytes, Row | None]]) -> Iterator[tuple[bytes, Row]]:
    """Merge rows that are in order; of one key that of the first source counts, and None is no row."""
    numbered = [zip(source, itertools.repeat(number)) for number, source in enumerate(sources)]
    last = None
    for (key, row), _ in heapq.merge(*numbered, key=_place):
        if key != last and row is not None:
            yield key, row
        last = key


def _place(entry: tuple[tuple[bytes, Row | None], int]) -> tuple[bytes, int]:
    return entry[0][0], entry[1]
