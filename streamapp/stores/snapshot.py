"""Snapshots: the rows of a partition as they were at one moment, read piece by piece while others write.

What is read has a position, by which the same piece can be read once more, and the next one.
"""

from __future__ import annotations

import abc
import threading
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from streamapp.joins.rows import Row

__all__ = ["ClosedError", "Measure", "Piece", "PositionError", "Snapshot", "Snapshots"]

S = TypeVar("S", bound="Snapshot")


class ClosedError(Exception):
    """A snapshot or a partition that is no more here: it went to another worker, or was read anew."""


class PositionError(ValueError):
    """What was given as a position is none that a snapshot has told."""


class Measure(NamedTuple):
    """How much there is in a partition."""

    #: How many rows; an estimate where they would have to be read for it.
    rows: int
    #: How many bytes they take where they are kept; an estimate.
    bytes: int
    #: The largest event time (ms) that a row has, or had; None = there is none, or it is not known.
    newest: int | None
    #: The changelog offset up to which (exclusive) they are complete.
    offset: int


class Piece(NamedTuple):
    """Rows of a snapshot that come one after the other."""

    rows: Sequence[tuple[bytes, Row]]
    #: Where the next piece begins; None = there is none.
    next: bytes | None


class Snapshot(abc.ABC):
    """The rows of a partition at one moment; to be closed, since the store keeps for it what was changed since.

    It may be read in any thread; whoever closes it waits for the piece that is being read.

    Args:
        offset: the changelog offset up to which (exclusive) the rows are complete.
    """

    #: Whether rows come in the order of their keys.
    ordered = False
    #: Whether all rows are of the same moment.
    exact = True

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self._lock = threading.Lock()
        self._closed = False

    def read(self, position: bytes, limit: int) -> Piece:
        """Return the rows from a position on, some `limit` of them at most.

        Raises:
            ClosedError: if it is closed.
            PositionError: if that is none of its positions, as far as they can be told.
        """
        with self._lock:
            if self._closed:
                raise ClosedError
            return self._read(position, limit)

    def close(self) -> None:
        """Let go of what is kept for it."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._close()

    def begin(self, start: bytes) -> bytes:
        """Return the position of the first row whose key may be `start` or greater."""
        return b""

    @abc.abstractmethod
    def after(self, position: bytes, count: int, key: bytes) -> bytes:
        """Return the position after so many rows of the piece at a position, of which the last one has this key."""

    @abc.abstractmethod
    def _read(self, position: bytes, limit: int) -> Piece: ...

    @abc.abstractmethod
    def _close(self) -> None: ...


class Snapshots(Generic[S]):
    """Those of a partition that are open."""

    def __init__(self) -> None:
        self._open: set[S] = set()

    def add(self, snapshot: S) -> S:
        """Take note of one."""
        self._open.add(snapshot)
        return snapshot

    def remove(self, snapshot: S) -> None:
        """Forget one that is closed."""
        self._open.discard(snapshot)

    def __bool__(self) -> bool:
        return bool(self._open)

    def all(self) -> list[S]:
        """Return all of them, in one step, since others are opened and closed in other threads."""
        return list(self._open)

    def close(self) -> None:
        """Close all of them: the rows are about to go."""
        for snapshot in self.all():
            snapshot.close()
