"""Why a stream record has no row in a table."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from streamapp.joins.output import Reason

__all__ = ["REASONS", "Missing"]


class Missing(enum.StrEnum):
    """Why a stream record has no row."""

    ABSENT = "absent"
    EXPIRED = "expired"
    NULL_KEY = "null_key"


#: As side outputs say it.
REASONS: Final[Mapping[Missing, Reason]] = MappingProxyType(
    {
        Missing.ABSENT: Reason.UNMATCHED,
        Missing.EXPIRED: Reason.EXPIRED,
        Missing.NULL_KEY: Reason.NULL_KEY,
    }
)
