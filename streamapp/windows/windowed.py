"""A result of windows: the aggregates of a key in one window."""

from __future__ import annotations

import msgspec

from streamapp.windows.aggregate import Value

__all__ = ["Windowed"]


class Windowed(msgspec.Struct, frozen=True, gc=False):
    """The aggregates of the records of a key from ``start`` to ``end`` (ms).

    Args:
        key: of the records.
        start: begin of the window; of a session the time of its first record.
        end: where it ends; of a session the time of its last record.
        values: of the aggregates, in the order in which they were declared; None says that this window is no more: a
            session whose bounds have changed.
        timestamp: that of the latest record of the window (ms).
        final: whether it is the final result of this window, which is never revised; of updates none is.
    """

    key: bytes
    start: int
    end: int
    values: tuple[Value, ...] | None
    timestamp: int
    final: bool
