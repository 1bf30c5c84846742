"""How a store stands to its changelog: which topic its offset is of, and when it was last in step with it."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = ["NOTE_EVERY_MS", "UNKNOWN", "Changelog", "Fit", "Standing", "fit", "is_too_old", "trusted_ms"]

#: The changelog's successor, of which no id is known yet.
UNKNOWN: Final = ""
#: A share of the retention, and ms, by which clocks may differ, or that a restore may take.
MARGIN_SHARE: Final = 0.1
LEAST_MARGIN_MS: Final = 60_000
#: How far (ms) in the future a store may have been in step, before nothing is believed of its time.
CLOCK_OFF_MS: Final = 3_600_000
#: A store that is in step all the time has that noted once in so many ms.
NOTE_EVERY_MS: Final = 30_000


class Standing(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept with the rows of a partition, besides the offset."""

    #: The id of the changelog that the offset is of; None = not known.
    topic_id: str | None = None
    #: The wall clock (ms) at which the rows were known to have all of the changelog; None = not known.
    in_step_ms: int | None = None
    #: The id of a changelog that was made anew, into which these rows are to be written: whoever owned them saw it
    #: happen. None = there is none, `UNKNOWN` = there is one.
    successor: str | None = None
    #: The ids of the topics that the rows come of, by name, as far as they are known.
    inputs: dict[str, str] = msgspec.field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes | None) -> Standing:
        """Read what was kept; of what cannot be read nothing is known."""
        try:
            return msgspec.json.decode(data or b"{}", type=cls)
        except msgspec.DecodeError:
            return cls()

    def __bytes__(self) -> bytes:
        return msgspec.json.encode(self)

    def in_step(self, at_ms: int, topic_id: str | None, inputs: Mapping[str, str] | None) -> Standing:
        """Return the same, in step with the changelog at a time; it stays as it is if that was noted lately."""
        all_inputs = self.inputs if inputs is None else {**self.inputs, **inputs}
        now = Standing(topic_id or self.topic_id, at_ms, self.successor, all_inputs)
        is_old = self.in_step_ms is None or not 0 <= at_ms - self.in_step_ms < NOTE_EVERY_MS
        return now if is_old or (now.topic_id, now.inputs) != (self.topic_id, self.inputs) else self

    def succeeded_by(self, topic_id: str) -> Standing:
        """Return the same, with a changelog to go to."""
        return msgspec.structs.replace(self, successor=topic_id)


class Fit(enum.Enum):
    """How a store and its changelog go together."""

    #: The store is read on from its offset.
    GOES_ON = enum.auto()
    #: There is nothing in it, and it is read from the beginning.
    EMPTY = enum.auto()
    #: The changelog was made anew, and the rows are to be written to it: it has nothing, or only what came since.
    SUCCEEDS = enum.auto()
    #: It was made anew, and somebody has written to it since.
    REPLACED = enum.auto()
    #: Changes that the store does not have were deleted from it.
    HEAD_GONE = enum.auto()
    #: It has lost changes that the store has.
    TAIL_GONE = enum.auto()
    #: Tombstones that the store does not have may have been compacted away.
    TOO_OLD = enum.auto()


@dataclasses.dataclass(frozen=True)
class Changelog:
    """A partition of a changelog, as it is now."""

    topic_id: str | None
    begin: int
    end: int
    #: The wall clock (ms) before it was asked for.
    asked_ms: int = 0


def trusted_ms(delete_retention_ms: int) -> int:
    """Return for how long a store that is not in step can be brought up to date (ms): tombstones are there so long."""
    return max(0, delete_retention_ms - max(LEAST_MARGIN_MS, int(delete_retention_ms * MARGIN_SHARE)))


def fit(offset: int | None, standing: Standing, changelog: Changelog) -> Fit:
    """Return how a store, by its offset (None = nothing was stored), goes with its changelog, but for its age."""
    if offset is None:
        return Fit.EMPTY
    if standing.successor is not None and standing.successor in (UNKNOWN, changelog.topic_id):
        return Fit.SUCCEEDS
    has_rows = changelog.begin < changelog.end
    if None not in (standing.topic_id, changelog.topic_id) and standing.topic_id != changelog.topic_id:
        return Fit.REPLACED if has_rows else Fit.SUCCEEDS
    if offset > changelog.end:
        return Fit.TAIL_GONE if has_rows else Fit.SUCCEEDS
    return Fit.HEAD_GONE if offset < changelog.begin else Fit.GOES_ON


def is_too_old(standing: Standing, now_ms: int, delete_retention_ms: int) -> bool:
    """Return whether tombstones that a store does not have may have been compacted away.

    A store that was in step in the future had a wrong clock, and nothing is known of its age; one of an older version,
    which did not note it, is taken for young.
    """
    if standing.in_step_ms is None:
        return False
    age = now_ms - standing.in_step_ms
    return age > trusted_ms(delete_retention_ms) or age < -CLOCK_OFF_MS
