"""Which letters are meant."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from streamapp.conditions import Condition
from streamapp.redrive.drafts import Opening
from streamapp.redrive.letters import Letter

__all__ = ["Selection"]


@dataclasses.dataclass(frozen=True)
class Selection:
    """Which letters are meant: those of which all of this holds; None, or nothing = any.

    Args:
        reasons: why they came out at the side.
        since: the event time (ms) that none is before.
        until: the one that all are before.
        topics: the names of the one that their records are from; and of this the partitions, and the first and the last
            offset.
        key: of the record, as a text.
        where: of the value, the key and the time.
        by: the names of the join or the agent that had put it out at the side.
    """

    reasons: Collection[str] = ()
    since: int | None = None
    until: int | None = None
    topics: Collection[str] = ()
    partitions: Collection[int] = ()
    offsets: tuple[int, int] | None = None
    key: str | None = None
    where: Condition | None = None
    by: Collection[str] = ()

    def takes(self, letter: Letter) -> bool:
        """Return whether a letter may be meant, before its value is looked at."""
        source = letter.source
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (self.since is None or letter.timestamp >= self.since)
            and (self.until is None or letter.timestamp < self.until)
            and (not self.by or any(map(letter.is_by, self.by)))
            and (not self.topics or source.topic in self.topics)
            and (not self.partitions or source.partition in self.partitions)
            and (self.offsets is None or self.offsets[0] <= source.offset <= self.offsets[1])
        )

    def takes_opened(self, opening: Opening) -> bool:
        """Return whether it is meant, by its key and value."""
        if self.key is not None and opening.key != self.key:
            return False
        return self.where is None or self.where(opening.draft.seen)
