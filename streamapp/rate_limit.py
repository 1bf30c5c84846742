"""Rate limit: of what happens again and again only one in some seconds is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

__all__ = ["RateLimit"]


class RateLimit:
    """Tells whether something of a name is due: the first time, and then once in `every` seconds."""

    def __init__(self, every: float, now: Callable[[], float] = time.monotonic) -> None:
        self._every, self._now = every, now
        self._next: dict[Hashable, float] = {}

    def due(self, name: Hashable) -> bool:
        """Return whether it is due, and take note of it if so."""
        now = self._now()
        if now < self._next.get(name, now):
            return False
        self._next[name] = now + self._every
        return True
