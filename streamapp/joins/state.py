"""The state of a join's partition: ordered rows of bytes, and what a batch changes in them.

A join reads and writes a `State`. What it writes stays apart until `State.commit`, so that whoever runs the join
can first put the changes into a changelog, and then into the store together with the input offsets, all or
nothing. A join that is started on the rows of the last commit goes on as if it had never stopped.

The rows of its plain tables may be kept elsewhere, for others to look at.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from sortedcontainers import SortedDict

from streamapp.joins.clock import Wall
from streamapp.joins.ordered_changes import OrderedChanges
from streamapp.joins.rows import Rows

__all__ = ["Changes", "MemoryStore", "State", "Store"]

#: Rows to be written by key; None deletes.
Changes = Mapping[bytes, bytes | None]
NONE: Final[Mapping[int, Rows]] = MappingProxyType({})


class Store(Protocol):
    """Rows in the order of their keys, which are compared as bytes are."""

    def get(self, key: bytes, /) -> bytes | None:
        """Give the row of a key."""

    def scan(self, start: bytes, stop: bytes | None, /) -> Iterator[tuple[bytes, bytes]]:
        """Give the rows with ``start <= key < stop`` in order; None is without end."""

    def write(self, changes: Changes, /) -> None:
        """Write and delete rows, all or nothing."""


class MemoryStore:
    """Rows in memory."""

    def __init__(self, rows: Changes | None = None) -> None:
        self._rows: SortedDict[bytes, bytes] = SortedDict()
        self.get = self._rows.get
        self.write(rows or {})

    def scan(self, start: bytes, stop: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        """Give the rows with ``start <= key < stop`` in order."""
        rows = self._rows
        return ((key, rows[key]) for key in rows.irange(start, stop, (True, False)))

    def write(self, changes: Changes) -> None:
        """Write and delete rows."""
        for key, row in changes.items():
            if row is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = row


class State:
    """Rows of a store, seen with the changes that are not written to it yet.

    Args:
        store: the rows as they were at the last commit.
        wall: bounds the event clocks that are a part of the state; None = nothing does.
        tables: the rows of plain tables that are kept elsewhere, by their sources.
    """

    def __init__(self, store: Store, wall: Wall | None = None, tables: Mapping[int, Rows] = NONE) -> None:
        self.wall = wall or Wall()
        self.tables = tables
        self._store = store
        self._changes: OrderedChanges[bytes | None] = OrderedChanges()
        self._prefix = b""

    def section(self, name: bytes) -> State:
        """Give a part of the state with keys of its own: those that begin with ``name``.

        No name of a section may begin with that of another one beside it.
        """
        section = State(self._store, self.wall)
        section._changes = self._changes
        section._prefix = self._prefix + name
        return section

    def get(self, key: bytes) -> bytes | None:
        """Give the row of a key."""
        key = self._prefix + key
        return self._changes[key] if key in self._changes else self._store.get(key)

    def put(self, key: bytes, row: bytes) -> None:
        """Write a row."""
        self._changes[self._prefix + key] = row

    def update(self, changes: Changes) -> None:
        """Write and delete many rows, which is faster than one by one."""
        prefix = self._prefix
        self._changes.update({prefix + key: row for key, row in changes.items()})

    def delete(self, key: bytes) -> None:
        """Delete a row, if there is one."""
        self._changes[self._prefix + key] = None

    def scan(self, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Give the rows whose key begins with ``prefix``, in order, from ``prefix + start`` on.

        To be left, or gone through, before the next change.
        """
        prefix = self._prefix + prefix
        start, stop, cut = prefix + start, _after(prefix), len(self._prefix)
        # Of two rows of one key the changed one comes first and counts.
        changed = ((key, 0, self._changes[key]) for key in self._changes.between(start, stop))
        stored = ((key, 1, row) for key, row in self._store.scan(start, stop))
        last = None
        for key, _, row in heapq.merge(changed, stored):
            if key != last and row is not None:
                yield key[cut:], row
            last = key

    @property
    def changes(self) -> Changes:
        """What was changed since the last commit, with the keys of the whole state."""
        return self._changes

    def commit(self) -> None:
        """Write the changes to the store; those of all sections."""
        self._store.write(self._changes)
        self._changes.clear()


def _after(prefix: bytes) -> bytes | None:
    """Give the first key behind all those that begin with ``prefix``; None = there is none."""
    head = prefix.rstrip(b"\xff")
    return head[:-1] + bytes([head[-1] + 1]) if head else None
