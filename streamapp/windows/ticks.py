"""Ticks of the event clock, at which updates are told."""

from __future__ import annotations

from streamapp.joins.clock import END

__all__ = ["Ticks"]


class Ticks:
    """The multiples of ``every`` ms of event time, from a time on; None = there are none."""

    def __init__(self, every: int | None, now: int) -> None:
        self._every = every
        self.due = END + 1
        self.passed(now)

    def passed(self, now: int) -> bool:
        """Return whether one has come by now; the next one, which `due` is, comes after that."""
        if self._every is None:
            return False
        passed = now >= self.due
        self.due = (now // self._every + 1) * self._every
        return passed
