"""Pacing: so many a second, evenly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from operator import truediv
from typing import Final, TypeVar

__all__ = ["paced"]

T = TypeVar("T")

#: Shorter waits would be rounded down to nothing by librdkafka, and spin.
SHORTEST_WAIT_S: Final = 0.005
#: After a longer wait Ctrl-C would seem not to be heard.
LONGEST_WAIT_S: Final = 0.1


def paced(
    items: Iterable[T],
    rate: float,
    wait: Callable[[float], None],
    clock: Callable[[], float] = time.monotonic,
    due: Callable[[int, float], float] = truediv,
) -> Iterator[T]:
    """Yield `items`, `rate` of them a second (0 = as fast as they are taken), none drawn before it is due.

    Item number n is due n / rate seconds after the first, or as `due` says of n and the rate, so that a delay is made
    up for and does not lower the rate.
    `wait` is called with the seconds to wait, 0.005 to 0.1, as often as it takes; it may return early.
    """
    start, number, iterator = clock(), 0, iter(items)
    while True:
        while rate and (early := start + due(number, rate) - clock()) > 0:
            wait(min(max(early, SHORTEST_WAIT_S), LONGEST_WAIT_S))
        try:
            yield next(iterator)
        except StopIteration:
            return
        number += 1
