"""What comes out of a join: results, and each record that is not matched, with the reason."""

from __future__ import annotations

import enum
from typing import Generic, TypeVar

import msgspec

from streamapp.joins.records import Record
from streamapp.joins.rows import Row

__all__ = ["Joined", "Output", "Reason", "SideOutput"]

R = TypeVar("R")


class Joined(msgspec.Struct, frozen=True, gc=False):
    """A result: both sides, or one of them and None for the other, which is missing.

    A side is a record where the input is a stream, a row where it is a table. A result with neither is a tombstone: the
    one that the key had is no more. ``timestamp`` is the event time (ms) of the result.
    """

    key: bytes | None
    left: Record | Row | None
    right: Record | Row | None
    timestamp: int

    @property
    def tombstone(self) -> bool:
        """Whether it deletes the key's earlier result."""
        return self.left is None and self.right is None


class Reason(enum.StrEnum):
    """Why a record is not matched."""

    #: It came later than the grace allows.
    LATE = "late"
    #: It counts in some of its windows, and others were closed.
    PARTLY_LATE = "partly_late"
    #: There was no partner until its window closed, or there is no row in the table.
    UNMATCHED = "unmatched"
    #: The row is older than the TTL; or it is an update of a versioned table, older than the history retention.
    EXPIRED = "expired"
    #: It has no key, or none to look the other side up with.
    NULL_KEY = "null_key"
    #: It has no value, and is from a stream.
    NULL_VALUE = "null_value"
    #: It is an update of a versioned table, older than the row it would update.
    SUPERSEDED = "superseded"
    #: A function that was given to the join refused it.
    REFUSED = "refused"


class SideOutput(msgspec.Struct, frozen=True, gc=False):
    """A record that is not matched, and why; ``late_by`` is in ms.

    If the join keeps the unmatched records of this side, there is a result for it as well; not for one that is
    ``rejected``, since it cannot be joined. ``cause`` says of what kind a refusal was, as `Refused` does; an error in a
    function has its ``traceback``.
    """

    reason: Reason
    side: int
    record: Record
    late_by: int = 0
    detail: str = ""
    cause: str = ""
    rejected: bool = False
    traceback: str = ""


class Output(msgspec.Struct, Generic[R]):
    """What a batch gave, in order."""

    results: list[R]
    side_outputs: list[SideOutput]
