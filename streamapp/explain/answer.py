"""Answers: why a record joined or did not, for programs (as JSON) and in words."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Final, Self

import msgspec

from streamapp.joins import Explanation, Reason, Verdict
from streamapp.joins.explanation import Window
from streamapp.kafka.log_reader import Logged

__all__ = ["Answer", "AskedRecord", "JoinInfo", "NearRecord", "Place", "because", "iso_time", "key_text"]


class JoinInfo(msgspec.Struct, frozen=True):
    """What ``/joins/{name}/`` answers."""

    name: str
    #: The topics that it reads.
    topics: list[str]
    #: The table that has its state.
    table: str


class Place(msgspec.Struct, frozen=True):
    """Where a record is."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def of(cls, record: Logged) -> Self:
        """Return that of a record."""
        return cls(*record.tp, record.offset)

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class AskedRecord(msgspec.Struct, frozen=True):
    """The record that is asked about; ``timestamp`` is its event time (ms)."""

    place: Place
    key: str | None
    timestamp: int

    def __str__(self) -> str:
        key = "without a key" if self.key is None else f"key {self.key!r}"
        return f"{self.place}, {key}, {iso_time(self.timestamp)}"


class NearRecord(msgspec.Struct, frozen=True):
    """A record or a row of the other side that has the key."""

    #: None = it is a row of which it is not known where it is from.
    place: Place | None
    key: str | None
    timestamp: int
    #: How far (ms) it is outside of what matches: smaller than 0 = before the window, larger = after it.
    outside_by_ms: int = 0
    #: What is special about it, in words.
    note: str = ""

    def text(self, asked: AskedRecord) -> str:
        """Describe it beside the record that is asked about."""
        apart = self.timestamp - asked.timestamp
        parts = [
            "a row" if self.place is None else str(self.place),
            "" if self.key == asked.key else f"key {self.key!r}",
            iso_time(self.timestamp),
            f"{abs(apart):,} ms {'older' if apart < 0 else 'newer'}" if apart else "of the same time",
            f"{_distance(self.outside_by_ms)} the window" if self.outside_by_ms else "",
            self.note,
        ]
        return ", ".join(filter(None, parts))


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a join says of a record; times are event times (ms)."""

    join: str
    #: Which of its sources the record is from: left, right, or the number of a table; of windows the stream.
    side: str
    record: AskedRecord
    verdict: Verdict
    #: The reason, in words.
    because: str
    #: The event clock of the partition, and up to which offset the topic is read.
    clock: int | None
    position: int
    #: Which times of the other side match, both ends included; None = any.
    window: Window | None
    #: Of windows, the start and the end of those that the record is in, or is too late for; None = it is a join.
    windows: Sequence[tuple[int, int]] | None = None
    #: Up to when it waits, or stays in the state.
    until: int | None
    #: How far a record may be behind the clock; None = any may.
    grace_ms: int | None
    #: By how much it was late; at most, if there is no evidence of it.
    late_by_ms: int
    candidates: Sequence[NearRecord]
    #: The side output, the dead letter or the result that says so.
    evidence: Place | None

    @property
    def text(self) -> str:
        """The answer as some lines."""
        lines = [f"{self.join}: {self.record}", f"{self.verdict.replace('_', ' ')}: {self.because}"]
        if self.window not in {None, (None, None)}:
            lines.append(f"the window of times that match it: {_span(self.window)}")
        lines += [near.text(self.record) for near in self.candidates]
        if self.evidence is not None:
            lines.append(f"as {self.evidence} says")
        return "\n  ".join(lines)


#: Windows that are named, however many a record is in.
WINDOWS_NAMED: Final = 3
_IN_WORDS: Final = {
    Verdict.NULL_KEY: "it has no key to be joined by",
    Verdict.NULL_VALUE: "it has no value, and in a stream that is nothing to be joined",
    Verdict.SUPERSEDED: "its table had a newer row of its key already",
    Verdict.REFUSED: "it was refused",
    Verdict.PROCESSED: "the function was called for it",
    Verdict.LEFT_OUT: "a step before leaves it out",
}


def because(explanation: Explanation, timestamp: int, near: Sequence[NearRecord], behind: int, missing: str) -> str:
    """Say in words why a record of an event time (ms) joined, or did not.

    It has so many records of its partition before it that are not read; `missing` is what it takes to know more.
    """
    if explanation.windows is not None and (text := _in_windows(explanation, missing)):
        return f"{text}; {explanation.detail}" if explanation.detail else text
    clock = "not set" if explanation.clock is None else iso_time(explanation.clock)
    grace, late_by, detail = explanation.grace or 0, explanation.late_by, explanation.detail
    match explanation.verdict:
        case Verdict.DECIDED:
            return detail
        case Verdict.MATCHED if any(not one.outside_by_ms for one in near):
            text = "it joined"
        case Verdict.MATCHED:
            text = "it joined something that is no longer there"
        case Verdict.PENDING:
            text = "nothing matches it so far"
            if explanation.until is not None:
                text += f"; something can until the event clock, {clock}, is {iso_time(explanation.until)}"
        case Verdict.APPLIED:
            text = "it was there to be joined" if detail else "it is there to be joined"
        case Verdict.UNREAD:
            text = f"the join has not read it: {behind:,} records of its partition are before it"
        case Verdict.OVER:
            text = f"the join is done with it, and nothing tells how that ended: {missing}"
        case Verdict.LATE if Reason.LATE in explanation.reasons:
            text = f"it came after the grace of {grace:,} ms, by {late_by:,} ms at most: the event clock is {clock} now"
        case Verdict.LATE:
            then = iso_time(timestamp + grace + late_by)
            text = f"it came {late_by:,} ms after the grace of {grace:,} ms: the event clock was {then}"
        case Verdict.UNMATCHED:
            text = f"nothing matched it while something could: {_unmatched(explanation.window, near, timestamp)}"
        case Verdict.EXPIRED if explanation.window is None:
            text = "it is older than the history of its table"
        case Verdict.EXPIRED:
            text = "the row of its key had expired"
        case _:
            text = _IN_WORDS[explanation.verdict]
    return f"{text}; {detail}" if detail else text


def _in_windows(explanation: Explanation, missing: str) -> str:
    """Say in words what became of a record in windows; empty = the same as in a join."""
    clock = "not set" if explanation.clock is None else iso_time(explanation.clock)
    windows, grace, late_by = explanation.windows or (), explanation.grace or 0, explanation.late_by
    told = " and ".join(f"{iso_time(start)} to {iso_time(end)}" for start, end in windows[:WINDOWS_NAMED])
    if len(windows) > WINDOWS_NAMED:
        told += f" and {len(windows) - WINDOWS_NAMED} more"
    named = f"the window{'s' if len(windows) > 1 else ''} {told}" if told else "its window"
    match explanation.verdict:
        case Verdict.PENDING:
            until = "goes on" if explanation.until is None else f"is {iso_time(explanation.until)}"
            return f"it counts in {named}, with a last result when the event clock, {clock}, {until}"
        case Verdict.MATCHED:
            return f"it counted in {named}"
        case Verdict.OVER:
            return f"{named} is over for it, and nothing tells whether it counted or was late: {missing}"
        case Verdict.LATE if Reason.LATE not in explanation.reasons:
            return f"it came {late_by:,} ms after the grace of {grace:,} ms, when {named} had given the last result"
        case Verdict.PARTLY_LATE if len(windows) == 1:
            return f"it came {late_by:,} ms after the grace of {grace:,} ms: it came out without what is in {named}"
        case Verdict.PARTLY_LATE:
            return (
                f"it came {late_by:,} ms after the grace of {grace:,} ms, when some had given the last result of "
                f"{named}: it counts in the others"
            )
        case _:
            return ""


def _unmatched(window: Window | None, near: Sequence[NearRecord], timestamp: int) -> str:
    if window is None:
        return "the other table has no row for it"
    if not near:
        return "nothing of its key was found near it"
    inside = [one for one in near if not one.outside_by_ms]
    if not inside:
        return f"the closest of its key is {_distance(near[0].outside_by_ms)} the window"
    if noted := [one for one in inside if one.note]:
        return f"{noted[0].place} is in the window, but {noted[0].note}"
    if window[1] is None and all(one.timestamp > timestamp for one in inside):
        return "what there is of its key is newer, and came after it"
    return "what there is in the window was not there to be joined"


def _distance(outside_by_ms: int) -> str:
    return f"{abs(outside_by_ms):,} ms {'before' if outside_by_ms < 0 else 'after'}"


def key_text(key: bytes | None) -> str | None:
    """Return a key as text."""
    return None if key is None else key.decode(errors="backslashreplace")


def iso_time(timestamp: int) -> str:
    """Return an event time (ms) as ISO 8601, in UTC."""
    try:
        at = datetime.datetime.fromtimestamp(timestamp / 1000, datetime.UTC)
    except (ValueError, OverflowError, OSError):
        return f"{timestamp} ms"
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _span(window: Window) -> str:
    first, last = window
    begin = "any time" if first is None else iso_time(first)
    return f"from {begin} on" if last is None else f"{begin} to {iso_time(last)}"
