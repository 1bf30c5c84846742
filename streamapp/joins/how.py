"""Which unmatched records a join keeps."""

from __future__ import annotations

import enum

from streamapp.joins.records import Side

__all__ = ["How"]


class How(enum.StrEnum):
    """Whether a record without a partner still gives a result, with the other side missing."""

    INNER = "inner"
    LEFT = "left"
    RIGHT = "right"
    OUTER = "outer"

    def keeps(self, side: int) -> bool:
        """Tell whether an unmatched record of this side gives a result."""
        return self is How.OUTER or self is (How.RIGHT if side == Side.RIGHT else How.LEFT)
