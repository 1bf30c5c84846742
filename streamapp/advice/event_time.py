"""The event time of records: their own timestamps, or a field of their values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

import msgspec

from streamapp.advice.reasons import Why
from streamapp.formats.format import Format
from streamapp.formats.undecodable import Undecodable
from streamapp.joins import Record
from streamapp.kafka.log_reader import Logged
from streamapp.kafka.record import Headers
from streamapp.produce.lines import field_of
from streamapp.produce.times import END_MS, Unit, event_time

__all__ = ["BadTime", "EventTime", "Stamped", "odd"]

#: Times (ms) before the year 1973: most likely seconds that were taken for milliseconds.
LEAST_MS: Final = 100_000_000_000

_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class BadTime(ValueError):
    """A record without an event time: says why."""

    def __init__(self, kind: str, error: object) -> None:
        super().__init__(error)
        self.why = Why(kind, str(error))


class Stamped(msgspec.Struct, frozen=True, gc=False):
    """A record with an event time that is not its own timestamp."""

    key: bytes | None
    value: bytes | None
    timestamp: int
    offset: int
    headers: Headers


@dataclasses.dataclass(frozen=True)
class EventTime:
    """Where event times are.

    Args:
        field: of the values, which may be one of an object in them (``meta.at``); empty = the records' own timestamps.
        unit: of numbers in it; None = known by their magnitude.
        format_of: returns what the values of a topic are; None = JSON.
    """

    field: str = ""
    unit: Unit | None = None
    format_of: Callable[[str], Format | None] = lambda _topic: None

    def of(self, record: Logged) -> tuple[Record, int | None]:
        """Return a record with its event time, and when it came (ms): None = nothing tells.

        Raises:
            BadTime: if it has none.
        """
        if not self.field:
            return record, None
        if record.value is None:  # what deletes a row has no field
            return record, record.timestamp
        headers, found = record.headers, self.format_of(record.tp.topic)
        try:
            fields = _fields(record.value if found is None else found.to_json(record.value, headers))
        except (Undecodable, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise BadTime("unreadable value", exc) from None
        try:
            field = field_of(fields, self.field)
        except ValueError as exc:
            raise BadTime("no field with the event time", exc) from None
        try:
            time = event_time(field, self.field, self.unit)
        except ValueError as exc:
            raise BadTime("no event time in the field", exc) from None
        return Stamped(record.key, record.value, time, record.offset, headers), record.timestamp


def odd(timestamp: int) -> str:
    """Return what is odd about an event time (ms) that is taken all the same; empty = nothing."""
    if timestamp < 0:
        return "no timestamp"
    if timestamp < LEAST_MS:
        return "before 1973: seconds, taken for milliseconds?"
    return "after 2199: microseconds, taken for milliseconds?" if timestamp >= END_MS else ""
