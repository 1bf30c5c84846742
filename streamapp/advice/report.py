"""What is told of lateness, as it is printed in JSON; times and durations are in ms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from streamapp.advice.reasons import Reason
from streamapp.measures.histogram import DurationHistogram, Share
from streamapp.measures.lateness import Dragger, Measured

__all__ = [
    "SHARES",
    "Advice",
    "Ahead",
    "Bar",
    "DistanceAdvice",
    "Early",
    "Grace",
    "JoinAdvice",
    "LatenessAdvice",
    "PartAdvice",
    "Skew",
    "State",
    "TopicAdvice",
    "WaitAdvice",
    "WindowAdvice",
    "lateness",
]

#: The shares of records for which there is a row.
SHARES: Final = tuple(map(Share, (9_900, 9_990, 9_999, 10_000)))


class Bar(msgspec.Struct, frozen=True):
    """How many records were later than one time, and at most another one."""

    above_ms: int
    up_to_ms: int
    records: int


class Early(msgspec.Struct, frozen=True):
    """A record that moved the clock so far that others were behind it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    #: How much of their lateness it made; by how far it moved the clock (None = it was the first record).
    made_ms: int
    jump_ms: int | None
    #: How many were behind it, and by how much at most.
    behind: int
    behind_ms: int


class Ahead(msgspec.Struct, frozen=True):
    """The record that was the furthest ahead of the wall clock."""

    topic: str
    partition: int
    offset: int
    timestamp: int


class LatenessAdvice(msgspec.Struct, frozen=True):
    """How late the records of a clock, or of several, came."""

    records: int
    #: Those that were behind the clock at all.
    behind: int
    #: By share, the lateness that so many have at most.
    at_most_ms: dict[str, int]
    histogram: list[Bar]
    #: Those that were ahead of the wall clock; by more than STREAMAPP_MAX_AHEAD, so that they moved no clock.
    future: int
    beyond: int
    furthest: Ahead | None
    early: list[Early]


class PartAdvice(msgspec.Struct, frozen=True):
    """A partition."""

    partition: int
    begin: int
    end: int
    #: From the first event time that its clock had to the last one; None = it had none.
    since: int | None
    until: int | None
    lateness: LatenessAdvice


class TopicAdvice(msgspec.Struct, frozen=True):
    """A topic, each of whose partitions has a clock of its own here."""

    topic: str
    records: int
    bytes: int
    lateness: LatenessAdvice
    partitions: list[PartAdvice]


class WaitAdvice(msgspec.Struct, frozen=True):
    """What comes out later, and by how much."""

    what: str
    ms: int


class State(msgspec.Struct, frozen=True):
    """What of a topic is held, on average and at most."""

    topic: str
    held_ms: int
    rows: int
    most_rows: int
    #: None = rows are not records, but what is made of them.
    bytes: int | None
    most_bytes: int | None


class Grace(msgspec.Struct, frozen=True):
    """What a grace keeps and costs."""

    #: The share of records that it is for; None = it is the present one.
    share: str | None
    grace_ms: int
    #: Records that are late with it; those of the present one are counted, others are known but for 1 %.
    late: int
    waits: list[WaitAdvice]
    state: list[State]


class WindowAdvice(msgspec.Struct, frozen=True):
    """How far away the closest partner is."""

    share: str
    before_ms: int
    after_ms: int
    either_ms: int


class DistanceAdvice(msgspec.Struct, frozen=True):
    """How far the closest right records of left records are, by key."""

    #: Left records; those whose key has a right record at all, not later than it, later than it.
    left: int
    with_partner: int
    with_earlier: int
    with_later: int
    #: By share of these, how far the closest one is.
    windows: list[WindowAdvice]
    #: With the window that there is, so many left records have a right one.
    matched: int | None


class Skew(msgspec.Struct, frozen=True):
    """By how much the left side is ahead of the right one (less than 0 = behind)."""

    #: Where the topics end, by partition.
    at_end_ms: dict[int, int]
    #: While records came, the most that the left was ahead, and the right; None = it is not known when they came.
    left_ahead_ms: int | None
    right_ahead_ms: int | None


class JoinAdvice(msgspec.Struct, frozen=True):
    """A join: the records of all its inputs, with the clock that it has."""

    name: str
    declared: str
    lateness: LatenessAdvice
    #: By topic, of the same clock.
    sides: dict[str, LatenessAdvice]
    present: Grace | None
    graces: list[Grace]
    distances: DistanceAdvice | None
    skew: Skew | None
    #: Records that the join does not take in.
    refused: list[Reason]


class Advice(msgspec.Struct, frozen=True):
    """All that was measured."""

    topics: list[TopicAdvice]
    joins: list[JoinAdvice]
    #: Records without an event time, which are not measured; and those that have an odd one, and are.
    bad: list[Reason]
    odd: list[Reason]
    records: int
    seconds: float
    records_per_s: int
    #: What has to be known to read it.
    notes: list[str]


def lateness(measured: Measured) -> LatenessAdvice:
    """Return what was measured of a clock, or of several."""
    histogram = measured.histogram
    furthest = None if measured.furthest is None else Ahead(*measured.furthest[1], measured.furthest[0])
    return LatenessAdvice(
        records=histogram.count,
        behind=histogram.count - histogram.within(0),
        at_most_ms={str(share): histogram.holds(share) for share in SHARES},
        histogram=[Bar(*bar) for bar in _trimmed(histogram)],
        future=measured.future,
        beyond=measured.beyond,
        furthest=furthest,
        early=list(map(_early, measured.draggers)),
    )


def _trimmed(histogram: DurationHistogram) -> Iterator[tuple[int, int, int]]:
    for bar in histogram.bars():
        yield bar.above, min(bar.up_to, max(histogram.longest, 0)), bar.durations


def _early(one: Dragger) -> Early:
    return Early(*one.place, one.timestamp, one.drag, one.jump, one.behind, one.worst)
