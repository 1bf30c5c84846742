"""Why a record joined or did not, as far as the state of a join tells, and what its side outputs tell beyond that.

An operator looks at its state only when it is asked, so explaining costs nothing while it joins. The state forgets what
is over. For that the contract helps: each record that is not matched comes out at the side, with the reason; one that
was taken in, does not wait and did not come out is matched.
"""

from __future__ import annotations

import enum
import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol, TypeVar

import msgspec

from streamapp.joins.clock import END, Clock
from streamapp.joins.output import Reason, SideOutput
from streamapp.joins.records import Record
from streamapp.joins.rows import Row

__all__ = [
    "Candidate",
    "Explanation",
    "Lookup",
    "Verdict",
    "Window",
    "candidate",
    "closest",
    "explain_row",
    "explain_update",
    "outside",
    "unusable",
]

#: Candidates that are named, however many there are.
NAMED: Final = 10

#: Times (ms) that match, both ends included; None = without end.
Window = tuple[int | None, int | None]
#: All times.
ANY: Final[Window] = (None, None)
T = TypeVar("T", bound="Timed")


class Timed(Protocol):
    """What has a time and a place: a record or a row."""

    @property
    def timestamp(self) -> int:
        """The event time (ms)."""

    @property
    def offset(self) -> int:
        """The place in the input partition; -1 = not known."""


class Lookup(Protocol):
    """A table that can be looked up, whoever keeps it."""

    def at(self, key: bytes, timestamp: int) -> Row | None:
        """Give the row that a record of this key and time (ms) joins."""

    def keys(self) -> Iterator[bytes]:
        """Go through the keys; to be left before the next change."""


class Verdict(enum.StrEnum):
    """What became of a record; those that are a `Reason` too mean the same."""

    MATCHED = "matched"
    #: It found no partner so far, and can still find one.
    PENDING = "pending"
    #: It is an update that other records are joined with.
    APPLIED = "applied"
    #: The function was called for it.
    PROCESSED = "processed"
    #: A step before leaves it out.
    LEFT_OUT = "left_out"
    #: It was decided on, as a result says, or that there is none.
    DECIDED = "decided"
    #: The join has not come to it.
    UNREAD = "unread"
    #: The join is done with it, and its state does not tell any more how that ended.
    OVER = "over"
    LATE = "late"
    PARTLY_LATE = "partly_late"
    UNMATCHED = "unmatched"
    EXPIRED = "expired"
    NULL_KEY = "null_key"
    NULL_VALUE = "null_value"
    SUPERSEDED = "superseded"
    REFUSED = "refused"


class Candidate(msgspec.Struct, frozen=True):
    """A record or a row of another source that has the key."""

    source: int
    key: bytes | None
    timestamp: int
    #: Its place in the input partition; -1 = not known.
    offset: int = -1
    #: How far (ms) its time is outside of what matches: smaller than 0 = too early, larger = too late.
    outside_by: int = 0


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a record joined, or did not, at the moment at which a join was asked."""

    verdict: Verdict
    #: The event clock (ms) of the partition.
    clock: int | None
    #: Which times of the other side match; None = it is not a matter of time.
    window: Window | None = None
    #: Of windows of one stream, the start and the end (ms) of those that the record is in, or is too late for.
    windows: Sequence[tuple[int, int]] | None = None
    #: Of a record that is in the state, the event time (ms) at which the clock ends that.
    until: int | None = None
    #: How far (ms) a record may be behind the clock; None = any may.
    grace: int | None = None
    #: By how much (ms) it was late; at most, unless a side output told of it.
    late_by: int = 0
    #: Records and rows of the other side that the state has, the closest first.
    candidates: Sequence[Candidate] = ()
    #: More, in words.
    detail: str = ""
    #: For which reasons it may have come out at the side, as far as the state tells.
    reasons: frozenset[Reason] = frozenset()
    #: What became of a record that is `Verdict.OVER`, if it did not.
    untold: Verdict = Verdict.OVER

    def settled(self, told: SideOutput | None) -> Explanation:
        """Say what became of it, by its side output (None = there is none), where the state leaves that open."""
        if told is not None and told.reason in self.reasons:
            verdict = Verdict(told.reason.value)
            detail, none = told.detail or self.detail, frozenset[Reason]()
            return msgspec.structs.replace(self, verdict=verdict, late_by=told.late_by, detail=detail, reasons=none)
        if told is None and self.verdict is Verdict.OVER:
            return msgspec.structs.replace(self, verdict=self.untold, reasons=frozenset())
        return self


def unusable(record: Record, clock: Clock, grace: int | None) -> Explanation:
    """Explain a stream record without a key or a value; it may be behind the clock by a grace (ms), or by any time."""
    if record.value is None:
        return Explanation(verdict=Verdict.NULL_VALUE, clock=clock.now)
    # Whether a record is late is looked at before its key.
    in_time = grace is None or record.timestamp >= clock.time - grace
    reasons: set[Reason] = set() if in_time else {Reason.LATE}
    return Explanation(verdict=Verdict.NULL_KEY, clock=clock.now, grace=grace, reasons=frozenset(reasons))


def outside(timestamp: int, window: Window) -> int:
    """Tell how far (ms) a time is before a window (smaller than 0) or after it; 0 = it is in it."""
    first, last = window
    if first is not None and timestamp < first:
        return timestamp - first
    return timestamp - last if last is not None and timestamp > last else 0


def closest(records: Iterable[T], timestamp: int) -> list[T]:
    """Give the records that are the closest to a time (ms), in that order, as many as are named."""
    return heapq.nsmallest(NAMED, records, key=lambda one: abs(one.timestamp - timestamp))


def candidate(source: int, key: bytes, found: Timed, window: Window) -> Candidate:
    """Make a candidate of a record or a row of a source."""
    return Candidate(source, key, found.timestamp, found.offset, outside(found.timestamp, window))


def is_of(row: Row | None, record: Record) -> bool:
    """Tell whether a row is the one that this update made."""
    if row is None or (row.value, row.timestamp) != (record.value, record.timestamp):
        return False
    return row.offset in {-1, record.offset}


def explain_update(
    source: int, record: Record, table: Lookup, clock: Clock, reasons: Iterable[Reason] = ()
) -> Explanation:
    """Explain an update of a table that others are joined with, which may have refused it for these reasons."""
    if record.key is None:
        return Explanation(verdict=Verdict.NULL_KEY, clock=clock.now)
    if is_of(table.at(record.key, record.timestamp), record):
        return Explanation(verdict=Verdict.APPLIED, clock=clock.now)
    return _replaced(source, record.key, table.at(record.key, END), clock, Verdict.APPLIED, reasons)


def explain_row(
    source: int, record: Record, row: Row | None, joined: Sequence[Candidate], clock: Clock, more: Iterable[Reason] = ()
) -> Explanation:
    """Explain an update of a table that gives results, by the row of its key now, and what that row is joined with."""
    if record.key is None:
        return Explanation(verdict=Verdict.NULL_KEY, clock=clock.now)
    if not is_of(row, record):
        return _replaced(source, record.key, row, clock, Verdict.MATCHED, [Reason.UNMATCHED, *more])
    verdict = Verdict.MATCHED if joined else Verdict.UNMATCHED
    return Explanation(verdict=verdict, clock=clock.now, candidates=joined)


def _replaced(
    source: int, key: bytes, row: Row | None, clock: Clock, untold: Verdict, reasons: Iterable[Reason]
) -> Explanation:
    """Explain an update that the row of its key is not of, or of no longer: it has this row now."""
    return Explanation(
        verdict=Verdict.OVER,
        clock=clock.now,
        candidates=[] if row is None else [candidate(source, key, row, ANY)],
        detail="the key has no row now" if row is None else "the key has another row now",
        untold=untold,
        reasons=frozenset(reasons),
    )
