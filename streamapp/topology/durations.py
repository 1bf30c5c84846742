"""Durations as users give them."""

from __future__ import annotations

from datetime import timedelta

__all__ = ["Duration", "milliseconds"]

#: Whole milliseconds, or a `timedelta`.
Duration = int | timedelta


def milliseconds(duration: Duration) -> int:
    """Give a duration in whole milliseconds."""
    return duration if isinstance(duration, int) else duration // timedelta(milliseconds=1)
