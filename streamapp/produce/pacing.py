"""Pacing: so many a second, evenly."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

__all__ = ["paced"]

T = TypeVar("T")

#: Seconds: shorter waits would be rounded down to nothing by librdkafka, and spin.
SHORTEST_WAIT: Final = 0.005
#: Seconds: after a longer wait Ctrl-C would seem not to be heard.
LONGEST_WAIT: Final = 0.1


def paced(
    items: Iterable[T],
    rate: float,
    wait: Callable[[float], None],
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[T]:
    """Give ``items``, ``rate`` of them a second; 0 is as fast as they are taken.

    Item number n is due at n / rate seconds after the first, so that a delay is made up for and does not
    lower the rate. An item is not drawn from ``items`` before it is due.

    Args:
        wait: called with the seconds to wait, 0.005 to 0.1, as often as it takes; it may return early.
    """
    if not rate:
        yield from items
        return
    iterator = iter(items)
    start = clock()
    for number in itertools.count():
        while (early := start + number / rate - clock()) > 0:
            wait(min(max(early, SHORTEST_WAIT), LONGEST_WAIT))
        try:
            yield next(iterator)
        except StopIteration:
            return
