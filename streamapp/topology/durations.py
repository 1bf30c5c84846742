"""Durations as users give them."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from streamapp.topology.declaration import JoinError

__all__ = ["Duration", "milliseconds"]

#: Whole milliseconds, or a `timedelta`.
Duration = int | timedelta

#: 300 years (ms): an event time, and so much more or less, is still a number of 64 bits.
LONGEST: Final = 10**13


def milliseconds(duration: Duration) -> int:
    """Give a duration in whole milliseconds.

    Raises:
        JoinError: for one of more than 300 years.
    """
    found = duration if isinstance(duration, int) else duration // timedelta(milliseconds=1)
    if abs(found) > LONGEST:
        raise JoinError(f"a duration of {found:,} ms is longer than the 300 years that are allowed")
    return found
