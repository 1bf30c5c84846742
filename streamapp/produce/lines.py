"""JSON lines: one record a line, sent as it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from streamapp.produce.errors import ProduceError

__all__ = ["JsonLines", "Line", "event_time", "key_bytes"]

#: A number from here on is milliseconds (the year 1973), one below is seconds (until the year 5138).
FIRST_MILLISECONDS: Final = 1e11

_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANYTHING: Final = msgspec.json.Decoder(msgspec.Raw)
_KEY: Final = msgspec.json.Decoder(str | int | float)
_TIMESTAMP: Final = msgspec.json.Decoder(int | float | str)


class Line(msgspec.Struct, frozen=True, gc=False):
    """A record to produce; without a ``timestamp`` (ms since 1970) its event time is that of sending."""

    key: bytes | None
    value: bytes
    timestamp: int | None


class JsonLines(msgspec.Struct, frozen=True, kw_only=True):
    """How to make records of lines.

    ``key`` and ``timestamp`` name fields of the line's JSON object. A key is a string as it is, or a number
    as it is written. A timestamp is a number of ms or, below 1e11, of seconds since 1970, or ISO-8601 text
    (UTC, if it has no offset). Empty lines are skipped.

    ``raw`` checks nothing: a line without a usable key or timestamp, or an empty one, is sent without both.
    """

    key: str | None = None
    timestamp: str | None = None
    raw: bool = False

    def read(self, lines: Iterable[bytes], name: str) -> Iterator[Line]:
        """Give the records of ``lines``.

        Raises:
            ProduceError: for a line that cannot be sent; the text has ``name`` and the line's number.
        """
        for number, text in enumerate(lines, start=1):
            line = text.removesuffix(b"\n").removesuffix(b"\r")
            if self.raw:
                try:
                    yield self._parse(line)
                except ValueError:
                    yield Line(None, line, None)
            elif line.strip():
                try:
                    yield self._parse(line)
                except ValueError as exc:
                    raise ProduceError(f"{name}:{number}: {exc} (--raw sends lines as they are)") from None

    def _parse(self, line: bytes) -> Line:
        try:
            text = line.decode()
            if self.key is None and self.timestamp is None:
                _ANYTHING.decode(text)
                return Line(None, line, None)
            fields = _FIELDS.decode(text)
        except msgspec.ValidationError:
            raise ValueError("not a JSON object") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise ValueError(f"not JSON: {exc}") from None
        key = None if self.key is None else key_bytes(_field(fields, self.key), self.key)
        timestamp = None if self.timestamp is None else event_time(_field(fields, self.timestamp), self.timestamp)
        return Line(key, line, timestamp)


def _field(fields: dict[str, msgspec.Raw], name: str) -> msgspec.Raw:
    try:
        return fields[name]
    except KeyError:
        raise ValueError(f"there is no field {name}") from None


def key_bytes(value: msgspec.Raw, name: str) -> bytes:
    """Give the key that a field holds: a string as it is, or a number as it is written.

    Raises:
        ValueError: for any other; the text has the field's ``name``.
    """
    try:
        key = _KEY.decode(value)
    except msgspec.DecodeError:
        raise ValueError(f"the key, field {name}, must be a string or a number") from None
    return key.encode() if isinstance(key, str) else bytes(value)


def event_time(value: msgspec.Raw, name: str) -> int:
    """Give the event time (ms since 1970) that a field holds, as `JsonLines` says.

    Raises:
        ValueError: if it holds none; the text has the field's ``name``.
    """
    try:
        time = _TIMESTAMP.decode(value)
        if isinstance(time, str):
            time = _iso_8601(time)
        elif time < FIRST_MILLISECONDS:
            time *= 1000
        milliseconds: int = round(time)
    except (ValueError, OverflowError, msgspec.DecodeError):
        milliseconds = 0
    if not 0 < milliseconds < 1 << 63:
        raise ValueError(f"the timestamp, field {name}, must be seconds or milliseconds since 1970, or ISO-8601 text")
    return milliseconds


def _iso_8601(text: str) -> float:
    time = dt.datetime.fromisoformat(text)
    if time.tzinfo is None:
        time = time.replace(tzinfo=dt.UTC)
    return time.timestamp() * 1000
