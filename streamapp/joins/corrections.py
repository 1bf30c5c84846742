"""Corrections: records that are sent once more, after they had been rejected or late (``streamapp redrive``).

Such a record has a mark, its first header. It is not late as others are: it is joined with what the state still has,
and goes out at the side again only where that could give a wrong result, or none. What it gives is a correction.
"""

from __future__ import annotations

from typing import Final

__all__ = ["HEADER", "mark_of"]

#: The header that tells of what a record is a correction; the first one.
HEADER: Final = "streamapp-redriven"


def mark_of(record: object) -> bytes | None:
    """Return the mark of a record; None = it is as it came first."""
    headers = getattr(record, "headers", ())
    return headers[0][1] if headers and headers[0][0] == HEADER else None
