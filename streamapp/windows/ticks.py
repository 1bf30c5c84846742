"""Ticks of the event clock, at which updates are told."""

from __future__ import annotations

from streamapp.joins.clock import BEGINNING, END

__all__ = ["Ticks"]


class Ticks:
    """The multiples of ``every`` ms of event time that come after a time; None = there are none."""

    def __init__(self, every: int | None, now: int) -> None:
        self._every = every
        #: When to look whether one has passed: at the first record, which sets the clock, to know which is the next.
        self.due = END + 1 if every is None else BEGINNING if now == BEGINNING else (now // every + 1) * every

    def passed(self, now: int) -> bool:
        """Return whether one has come by now."""
        if self._every is None or now < self.due or now == BEGINNING:
            return False
        passed = self.due > BEGINNING
        self.due = (now // self._every + 1) * self._every
        return passed
