"""Letters: records that came out at the side, as dead letters or as late, with what their headers say of them."""

from __future__ import annotations

import dataclasses
from typing import Final, NamedTuple

from streamapp.errors import StreamappError
from streamapp.joins.corrections import AGENT, HEADER, JOIN, Mark, decoded_mark
from streamapp.kafka.log_reader import Logged
from streamapp.kafka.partition import TP
from streamapp.kafka.record import Headers
from streamapp.runtime.copies import without_mark

__all__ = ["Letter", "NoLetterError", "Place", "letter_of"]

#: The headers that each letter begins with.
FIRST: Final = ("topic", "partition", "offset", "reason")
#: Those of a dead letter that is not whole, or has more: the record may have headers of these names itself.
UNSURE: Final = frozenset({"traceback", "timestamp", "value_bytes"})
#: Those that may follow before the record's own: of a dead letter, and of any other.
DEAD: Final = frozenset({"error", JOIN, AGENT, *UNSURE})
ASIDE: Final = frozenset({"late_by_ms", "detail", JOIN})
#: Why a record has no value any more in a dead letter.
TOO_LARGE: Final = "too_large"


class NoLetterError(StreamappError):
    """A record that does not say where it is from; the text is one line."""


class Place(NamedTuple):
    """A record, by its place."""

    topic: str
    partition: int
    offset: int

    @property
    def tp(self) -> TP:
        """The partition."""
        return TP(self.topic, self.partition)

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclasses.dataclass(frozen=True)
class Letter:
    """A record that came out at the side."""

    place: Place
    #: Where the record was; the offset is -1 if it was a result that no record gave alone.
    source: Place
    reason: str
    error: str
    #: The record: its event time (ms), key, value and headers of its own.
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    #: That of the last time that it was redriven; None = it never was.
    mark: Mark | None = None
    #: Whether the record is all here, and surely as it came.
    whole: bool = True
    #: Whether its value is what an agent by hand has made of the record, and no record of the topic that it is from.
    made: bool = False
    #: The time (ms) of the letter itself.
    written: int = 0
    #: The join that had put it out at the side, as messages call it; empty = it was none.
    join: str = ""
    #: The agent that failed on it.
    agent: str = ""

    @property
    def by(self) -> str:
        """Who had put it out at the side, as far as it says."""
        return self.join or (self.agent and f"agent {self.agent}")

    def is_by(self, name: str) -> bool:
        """Return whether a join, or an agent, of this name had put it out; of an agent the function's is enough."""
        return bool(name) and name in {
            self.join,
            self.join.partition(" ")[2],
            self.agent,
            self.agent.rpartition(".")[2],
        }

    @property
    def next_mark(self) -> Mark:
        """The mark that it gets if it is redriven."""
        before = self.mark
        of = str(self.source) if before is None else before.of
        attempt = 1 if before is None else before.attempt + 1
        agent = "" if self.join else self.agent
        return Mark(str(self.place), of, attempt, self.join, agent, self.source.topic if agent else "")

    @property
    def identity(self) -> str:
        """What is the same of all letters that a join or an agent has written of a record: at least once, several."""
        place = self.place if self.source.offset < 0 else self.source
        return f"{place}/{self.written}/{self.by}"

    def is_of(self, record: Logged) -> bool:
        """Return whether it is of a record that is at its place now: the topic may have been made anew since."""
        if record.timestamp in {self.timestamp, self.written}:
            return True
        same = record.key if self.value is None else record.value
        return same is not None and same == (self.key if self.value is None else self.value)

    def as_it_came(self, record: Logged) -> Letter:
        """Return it with the record that it is of, read from where that still is."""
        mark, own = _mark(list(record.headers))
        return dataclasses.replace(
            self,
            timestamp=record.timestamp,
            key=record.key,
            value=record.value,
            headers=own,
            mark=mark or self.mark,
            whole=True,
            made=False,
        )


def letter_of(record: Logged) -> Letter:
    """Read a letter.

    Raises:
        NoLetterError: if it is none.
    """
    headers = record.headers
    place = Place(record.tp.topic, record.tp.partition, record.offset)
    if tuple(name for name, _ in headers[: len(FIRST)]) != FIRST:
        raise NoLetterError(
            f"{place} is no dead letter and no late record: its headers do not begin with {', '.join(FIRST)}; if it is "
            "one of an earlier version, produce the record again"
        )
    topic, partition, offset, reason = (value.decode(errors="replace") for _, value in headers[: len(FIRST)])
    try:
        source = Place(topic, int(partition), int(offset))
    except ValueError:
        raise NoLetterError(f"{place} says that it is from {topic}/{partition}/{offset}, which is no place") from None
    left, told, unsure = headers[len(FIRST) :], dict[str, bytes](), dict[str, bytes]()
    more = DEAD if left and left[0][0] == "error" else ASIDE
    while left and left[0][0] in more - told.keys() - unsure.keys():
        (unsure if left[0][0] in UNSURE else told).update([left.pop(0)])
    error = told.get("error") or told.get("detail") or b""
    if "late_by_ms" in told:
        error = b"late by %b ms" % told["late_by_ms"]
    mark, own = _mark(left)
    sent = unsure.get("timestamp", b"")
    return Letter(
        place,
        source,
        reason,
        error.decode(errors="replace"),
        int(sent) if sent.isdigit() else record.timestamp,
        record.key,
        record.value,
        own,
        mark,
        whole=not unsure and not (record.value is None and reason == TOO_LARGE),
        written=record.timestamp,
        join=told.get(JOIN, b"").decode(errors="replace"),
        agent=told.get(AGENT, b"").decode(errors="replace"),
        made=more is ASIDE and JOIN not in told,
    )


def _mark(headers: Headers) -> tuple[Mark | None, Headers]:
    """Return the mark among headers, and the record's own: in an internal topic it is no copy of another one now."""
    mark = next((decoded_mark(value) for name, value in headers if name == HEADER), None)
    return mark, [one for one in without_mark(headers) if one[0] != HEADER]
