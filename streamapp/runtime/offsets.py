"""Up to where a partition is done: the offset that may be committed."""

from __future__ import annotations

from collections import deque

__all__ = ["Offsets"]


class Offsets:
    """Follows the work on one partition.

    Messages begin in the order of their offsets and may finish in any order; what may be committed is the
    offset after the last message before which nothing is left to do. Gaps in the offsets (compaction,
    transaction markers) need no care, since nothing is inferred from the numbers themselves: that is where
    Faust's own tracking (`faust.transport.consumer`, `_new_offset` and `_add_gap`) goes wrong.
    """

    __slots__ = ("_done", "_working", "committable")

    def __init__(self) -> None:
        self._working: deque[int] = deque()
        self._done: set[int] = set()
        #: The offset to commit, or None as long as nothing is finished.
        self.committable: int | None = None

    def begin(self, offset: int) -> None:
        """Take note that a message is on its way to the agents; of a batch, the offset of its last record."""
        self._working.append(offset)

    def finish(self, offset: int) -> None:
        """Take note that all agents are done with a message that began."""
        self._done.add(offset)
        working = self._working
        while working and working[0] in self._done:
            done = working.popleft()
            self._done.discard(done)
            self.committable = done + 1

    @property
    def pending(self) -> int:
        """How many messages began and are not finished."""
        return len(self._working) - len(self._done)
