"""The stream-table join: each record of a stream with the table's current row for its key.

Only the stream side gives results, each stamped with the stream record's event time; a row that was updated
later joins the records that come later. (Kafka Streams' KStream-KTable join without versioned tables.)
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Protocol

from streamapp.joins.rows import Row

__all__ = ["How", "Match", "Missing", "RowLookup", "StreamTableJoin"]


class How(enum.StrEnum):
    """Whether a stream record without a row still gives a result."""

    INNER = "inner"
    LEFT = "left"


class Missing(enum.StrEnum):
    """Why a stream record has no row."""

    ABSENT = "absent"
    EXPIRED = "expired"


class RowLookup(Protocol):
    """The table side of a join: the current row of a key, or None."""

    def __call__(self, key: bytes, /) -> Row | None:
        """Look a key up."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Match:
    """What the join says of one stream record: its row, or why there is none; and whether that is a result."""

    row: Row | None
    missing: Missing | None
    emitted: bool


@dataclasses.dataclass(frozen=True, slots=True)
class StreamTableJoin:
    """A stream-table join, inner or left, whose rows live for `ttl` ms of event time (0 = for ever).

    A row is as old as the stream record's time less its own; it is expired once older than `ttl`. A row that
    is newer than the stream record is not expired: a plain table joins its current value.
    """

    how: How = How.INNER
    ttl: int = 0

    def match(self, key: bytes, timestamp: int, lookup: RowLookup) -> Match:
        """Join the stream record with this key and event time (ms)."""
        row = lookup(key)
        if row is None:
            return self._absent
        if self.expired(row, timestamp):
            return self._expired
        return Match(row, None, emitted=True)

    def expired(self, row: Row, timestamp: int) -> bool:
        """Tell whether a row is too old for a record of this event time (ms)."""
        return 0 < self.ttl < timestamp - row.timestamp

    def expiry(self, now: int | None) -> int | None:
        """Give the event time (ms) before which rows are expired when the clock shows `now`; None = none are."""
        return now - self.ttl if self.ttl and now is not None else None

    @property
    def _absent(self) -> Match:
        return Match(None, Missing.ABSENT, emitted=self.how is How.LEFT)

    @property
    def _expired(self) -> Match:
        return Match(None, Missing.EXPIRED, emitted=self.how is How.LEFT)
