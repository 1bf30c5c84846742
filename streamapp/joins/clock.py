"""The event clock of a partition: what time it is, as far as its records tell."""

from __future__ import annotations

__all__ = ["Clock"]


class Clock:
    """The largest event time (ms) seen; it never goes back, and stands still while no record comes."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now: int | None = None

    def advance(self, timestamp: int) -> None:
        """Take note of a record's event time (ms)."""
        if self.now is None or timestamp > self.now:
            self.now = timestamp
