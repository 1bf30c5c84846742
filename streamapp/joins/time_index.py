"""An index of keys by time, in the state: what is old is found without looking at the rest."""

from __future__ import annotations

from streamapp.joins import ordering
from streamapp.joins.clock import BEGINNING
from streamapp.joins.state import State

__all__ = ["TimeIndex"]


class TimeIndex:
    """Keys in the order of a time (ms) that goes with each, in a section of the state."""

    def __init__(self, state: State) -> None:
        self._state = state
        #: No entry is older: a search need not step again over the deleted ones, which RocksDB keeps for a while.
        self._since = BEGINNING

    def add(self, timestamp: int, key: bytes) -> None:
        """Put a key in."""
        self._since = min(self._since, timestamp)
        self._state.put(ordering.time(timestamp) + key, b"")

    def remove(self, timestamp: int, key: bytes) -> None:
        """Take a key out."""
        self._state.delete(ordering.time(timestamp) + key)

    def take(self, before: int) -> list[tuple[int, bytes]]:
        """Take out the entries whose time is smaller than ``before``, the oldest first."""
        if before <= self._since:
            return []
        taken = []
        for entry, _ in self._state.scan(start=ordering.time(self._since)):
            timestamp = ordering.time_of(entry)
            if timestamp >= before:
                break
            taken.append((timestamp, entry[ordering.TIME :]))
        for timestamp, key in taken:
            self.remove(timestamp, key)
        self._since = before
        return taken
