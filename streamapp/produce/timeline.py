"""Event times of generated records: from now on, or up to now."""

from __future__ import annotations

import msgspec

__all__ = ["Timeline"]


class Timeline(msgspec.Struct, frozen=True):
    """Event times: record number ``n`` is at ``start + n * step`` (ms); late records are behind that."""

    start: float
    step: float

    @classmethod
    def live(cls, rate: float, now: int) -> Timeline:
        """Begin at ``now`` (ms) and follow the wall clock at ``rate`` records a second."""
        return cls(start=now, step=1_000 / rate)

    @classmethod
    def backlog(cls, total: int, now: int, step: float) -> Timeline:
        """End at ``now`` (ms), with records ``step`` ms apart."""
        return cls(start=now - (total - 1) * step, step=step)

    def at(self, number: int) -> int:
        """Return the event time (ms) of a record."""
        return int(self.start + number * self.step)
