"""Durations, sizes and reasons as a terminal shows them, and tables of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streamapp.advice.reasons import Reason

__all__ = ["amount", "lined_up", "reason", "span"]

SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000
#: Up to so many of a unit it is told in it.
MOST: Final = 120
UNITS: Final = (("d", DAY_MS), ("h", HOUR_MS), ("min", MINUTE_MS), ("s", SECOND_MS))
SIZES: Final = ("B", "KB", "MB", "GB", "TB")
KILO: Final = 1_000


def span(duration: int) -> str:
    """Return a duration (ms) for people."""
    unit, length = next(((unit, length) for unit, length in UNITS if abs(duration) >= 2 * length), ("ms", 1))
    if unit == "s" and abs(duration) < MOST * SECOND_MS:
        return f"{duration / SECOND_MS:,.1f} s"
    return f"{duration:,} ms" if length == 1 else f"{duration / length:,.1f} {unit}"


def amount(size: int) -> str:
    """Return so many bytes for people."""
    value, unit = float(size), 0
    while value >= KILO and unit < len(SIZES) - 1:
        value, unit = value / KILO, unit + 1
    return f"{value:,.1f} {SIZES[unit]}" if unit else f"{size} B"


def reason(one: Reason) -> str:
    """Return why records are not looked at, in a line."""
    place = f"{one.topic}[{one.partition}]@{one.offset}"
    return f"{one.records:,} records, {one.kind.replace('_', ' ')}; the first is {place}: {one.example}"


def lined_up(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    """Return rows as lines whose columns are one below the other; those of `left` begin, the others end there."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if place in left else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
