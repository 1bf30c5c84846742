"""Values as users write them: durations."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["duration"]

UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DURATION: Final = re.compile(rf"(-?\d+) ?({'|'.join(UNITS_MS)})")


def duration(value: object) -> int:
    """Read a duration in ms: a whole number of them, or text such as 250ms or 10m.

    Raises:
        ValueError: if it is none.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is no duration: write 250 (ms), or 250ms, 10s, 10m, 1h, 7d in quotes")
    return int(found[1]) * UNITS_MS[found[2]]
