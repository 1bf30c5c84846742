"""Changes of rows that can be gone through in the order of their keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Final, Never, TypeVar

from sortedcontainers import SortedList

__all__ = ["OrderedChanges"]

V = TypeVar("V")

NONE: Final[Mapping[bytes, Never]] = MappingProxyType({})


class OrderedChanges(dict[bytes, V]):
    """A dict that sorts its keys when their order is asked for: many are written for each time that they are scanned.

    Keys are added, or all cleared, but not removed one by one.
    """

    __slots__ = ("_keys",)

    def __init__(self, changes: Mapping[bytes, V] = NONE) -> None:
        super().__init__(changes)
        self._keys: SortedList[bytes] = SortedList()

    def between(self, start: bytes, stop: bytes | None) -> Iterator[bytes]:
        """Go through the keys with ``start <= key < stop`` in order; None is without end."""
        keys = self._keys
        if new := len(self) - len(keys):
            keys.update(islice(reversed(self), new))  # a dict keeps the order in which its keys came
        return keys.irange(start, stop, (True, False))

    def clear(self) -> None:
        """Remove all."""
        super().clear()
        self._keys.clear()
