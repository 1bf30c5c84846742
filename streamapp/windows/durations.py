"""Durations as users write them: a number of ms, text such as ``"10m"``, or a `timedelta`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final, TypeAlias

__all__ = ["Duration", "milliseconds"]

Duration: TypeAlias = int | str | timedelta

UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
TEXT: Final = re.compile(rf"(-?\d+) ?({'|'.join(UNITS_MS)})")


def milliseconds(duration: object) -> int:
    """Return a `Duration` in ms.

    Raises:
        ValueError: if it is none.
    """
    match duration:
        case bool():
            found = None
        case int():
            return duration
        case timedelta():
            return duration // timedelta(milliseconds=1)
        case _:
            found = TEXT.fullmatch(duration) if isinstance(duration, str) else None
    if found is None:
        raise ValueError(f"{duration!r} is no duration: write 250 (ms), or 250ms, 10s, 10m, 1h, 7d in quotes")
    return int(found[1]) * UNITS_MS[found[2]]
