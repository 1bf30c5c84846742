"""Rate limit: of what happens again and again only one in some seconds is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

__all__ = ["RateLimit"]


class RateLimit:
    """Tells whether something of a name is due: the first time, and then once in so many seconds.

    Args:
        every: seconds.
        now: returns the time (s).
    """

    def __init__(self, every: float, now: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._now = now
        self._last: dict[Hashable, float] = {}

    def due(self, name: Hashable) -> bool:
        """Return whether it is due, and take note of it if so."""
        now = self._now()
        last = self._last.get(name)
        if last is not None and now - last < self._every:
            return False
        self._last[name] = now
        return True
