"""The balance of a join: nothing vanishes."""

from __future__ import annotations

import msgspec

__all__ = ["Balance", "Updates"]


class Balance(msgspec.Struct, gc=False):
    """How many records came in that can have a result, and what became of them.

    ``matched`` records joined at least one of the other side. ``unmatched`` ones did not, and no longer can.
    ``pending`` ones did not so far. ``late`` ones came after the grace. ``rejected`` ones cannot be joined: no key,
    no value, outdated or refused.
    """

    received: int = 0
    matched: int = 0
    unmatched: int = 0
    pending: int = 0
    late: int = 0
    rejected: int = 0

    @property
    def holds(self) -> bool:
        """Whether each record that came in is accounted for."""
        return self.received == self.matched + self.unmatched + self.pending + self.late + self.rejected


class Updates(msgspec.Struct, gc=False):
    """How many records came in that other records are joined with, and that have no result of their own.

    Such is a table that a stream is joined with. ``applied`` updates can be found by the other side; ``late`` and
    ``rejected`` ones are as in `Balance`.
    """

    received: int = 0
    applied: int = 0
    late: int = 0
    rejected: int = 0

    @property
    def holds(self) -> bool:
        """Whether each record that came in is accounted for."""
        return self.received == self.applied + self.late + self.rejected
