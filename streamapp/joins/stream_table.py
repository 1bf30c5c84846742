"""The stream-table join: each record of a stream with the table's current row for its key.

Only the stream side gives results, each stamped with the stream record's event time; a row that was updated
later joins the records that come later. (Kafka Streams' KStream-KTable join without versioned tables.)
"""

from __future__ import annotations

import dataclasses
import enum

from streamapp.joins.rows import Row

__all__ = ["How", "Missing", "StreamTableJoin"]


class How(enum.StrEnum):
    """Whether a stream record without a row still gives a result."""

    INNER = "inner"
    LEFT = "left"


class Missing(enum.StrEnum):
    """Why a stream record has no row."""

    ABSENT = "absent"
    EXPIRED = "expired"


@dataclasses.dataclass(frozen=True, slots=True)
class StreamTableJoin:
    """A stream-table join, inner or left, whose rows live for `ttl` ms of event time (0 = for ever).

    A row is as old as the stream record's time less its own; it is expired once older than `ttl`. A row that
    is newer than the stream record is not expired: a plain table joins its current value.
    """

    how: How = How.INNER
    ttl: int = 0

    def missing(self, row: Row | None, timestamp: int) -> Missing | None:
        """Tell why a stream record of this event time (ms) does not join the row of its key; None = it joins."""
        if row is None:
            return Missing.ABSENT
        if 0 < self.ttl < timestamp - row.timestamp:
            return Missing.EXPIRED
        return None

    def expiry(self, now: int | None) -> int | None:
        """Give the event time (ms) before which rows are expired when the clock shows `now`; None = none are."""
        return now - self.ttl if self.ttl and now is not None else None

    @property
    def keeps_unmatched(self) -> bool:
        """Whether a stream record that joins no row gives a result all the same."""
        return self.how is How.LEFT
