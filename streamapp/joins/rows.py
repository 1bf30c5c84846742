"""A row: what a table holds for a key; and the rows of a plain table, wherever they are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

__all__ = ["Row", "Rows"]


class Row(msgspec.Struct, frozen=True, gc=False):
    """The latest value of a key, the event time (ms) at which it was true, and the offset of its update, if kept."""

    value: bytes
    timestamp: int
    offset: int = -1


class Rows(Protocol):
    """The current row of each key of a plain table, in one partition."""

    def get(self, key: bytes, /) -> Row | None:
        """Return the row of a key."""

    def get_many(self, keys: Sequence[bytes], /) -> Sequence[Row | None]:
        """Return the rows of keys, in their order; a key may be there more than once."""

    def keys(self) -> Iterator[bytes]:
        """Go through the keys; to be left before the next change."""

    def write(self, changes: Mapping[bytes, Row | None], /) -> None:
        """Write rows; None deletes."""

    def expire(self, before: int | None, /) -> None:
        """Have the rows that are older than an event time (ms) deleted, now or later; None deletes none."""
