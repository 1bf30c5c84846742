"""Sparklines: some numbers in a line of characters, one each, as high as they are large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["sparkline"]

#: From nothing, which has a place of its own, to the largest.
BARS: Final = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """Return the last values, up to `width` of them, each by its share of the largest; 0 is the lowest bar alone."""
    shown = values[-width:] if width else ()
    largest = max(shown, default=0)
    if largest <= 0:
        return BARS[0] * len(shown)
    # What is not 0 never looks like it.
    return "".join(BARS[0] if value <= 0 else BARS[max(1, round(value / largest * 7))] for value in shown)
