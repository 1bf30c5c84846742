"""A cache of what is read from the state."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

__all__ = ["Cache"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(OrderedDict[K, V]):
    """What `load` gives for a key, kept for the next time; ``cache[key]`` of a kept one is a look into a dict.

    Of more than the limit, the one that came first goes first.
    """

    def __init__(self, load: Callable[[K], V], limit: int) -> None:
        super().__init__()
        self._load = load
        self._limit = limit

    def __missing__(self, key: K) -> V:
        value = self._load(key)
        self.keep(key, value)
        return value

    def keep(self, key: K, value: V) -> None:
        """Keep what was just written."""
        self[key] = value
        if len(self) > self._limit:
            self.popitem(last=False)
