"""A row: what a table holds for a key."""

from __future__ import annotations

import msgspec

__all__ = ["Row"]


class Row(msgspec.Struct, frozen=True, gc=False):
    """The latest value of a key, the event time (ms) at which it was true, and the offset of its update, if kept."""

    value: bytes
    timestamp: int
    offset: int = -1
