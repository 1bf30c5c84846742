"""Windows of one size that begin at regular times, and overlap if these are closer to each other than the size."""

from __future__ import annotations

__all__ = ["starts"]


def starts(timestamp: int, size: int, advance: int, offset: int = 0) -> range:
    """Return the starts of the windows ``start <= timestamp < start + size`` that hold a time; all in ms."""
    time = timestamp - offset
    return range(((time - size) // advance + 1) * advance + offset, timestamp + 1, advance)
