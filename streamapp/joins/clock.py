"""The event clock of a partition: what time it is, as far as its records tell."""

from __future__ import annotations

from typing import Final

__all__ = ["BEGINNING", "END", "Clock"]

#: A time (ms) before all records, and one after all.
BEGINNING: Final = -(1 << 62)
END: Final = 1 << 62


class Clock:
    """The largest event time (ms) seen; it never goes back, and stands still while no record comes."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now: int | None = None

    @property
    def time(self) -> int:
        """The event time (ms); `BEGINNING` before the first record."""
        return BEGINNING if self.now is None else self.now

    def advance(self, timestamp: int) -> None:
        """Take note of a record's event time (ms)."""
        if self.now is None or timestamp > self.now:
            self.now = timestamp
