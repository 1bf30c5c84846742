"""JSON lines: one record a line, sent as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from streamapp.errors import ProduceError
from streamapp.formats.fields import key_bytes, shown
from streamapp.formats.format import Headers
from streamapp.formats.serde import Serde
from streamapp.produce.source import guess
from streamapp.produce.times import Unit, event_time

__all__ = ["JsonLines", "Line", "field_of"]

_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANYTHING: Final = msgspec.json.Decoder(msgspec.Raw)


class Line(msgspec.Struct, frozen=True, gc=False):
    """A record to produce; without a `timestamp` (ms since 1970) its event time is that of sending."""

    key: bytes | None
    value: bytes
    timestamp: int | None
    headers: Headers = ()


class JsonLines(msgspec.Struct, frozen=True, kw_only=True):
    """How to make records of lines.

    `key` and `timestamp` name fields of the line's JSON object (`field_of`, `key_bytes`, `event_time`). Empty lines are
    skipped. `raw` checks nothing: a line without a usable key or timestamp, or an empty one, is sent without both.
    `serde` has what values and keys are written as; None = a value is the line, and a key text.
    """

    key: str | None = None
    timestamp: str | None = None
    unit: Unit | None = None
    raw: bool = False
    serde: Serde | None = None

    def read(self, lines: Iterable[bytes], name: str) -> Iterator[Line]:
        """Yield the records of `lines`; a ProduceError, with `name` and line number, for one that cannot be sent."""
        for number, text in enumerate(lines, start=1):
            line = text.removesuffix(b"\n").removesuffix(b"\r")
            if not self.raw and not line.strip():
                continue
            try:
                record = self._written(self._parse(line))
            except ValueError as exc:
                if not self.raw:
                    raise ProduceError(f"{name}:{number}: {exc} (--raw sends lines as they are)") from None
                record = Line(None, line, None)
            yield record

    def _written(self, line: Line) -> Line:
        if self.serde is None:
            return line
        key, value, headers = self.serde.write(line.key, line.value)
        return Line(key, value or b"", line.timestamp, headers)

    def _parse(self, line: bytes) -> Line:
        try:
            text = line.decode()
            if self.key is None and self.timestamp is None:
                _ANYTHING.decode(text)
                return Line(None, line, None)
            fields = _FIELDS.decode(text)
        except msgspec.ValidationError:
            raise ValueError(f"not a JSON object: {shown(line)}{guess(line)}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise ValueError(f"not JSON: {exc}: {shown(line)}{guess(line)}") from None
        key, at = self.key, self.timestamp
        return Line(
            None if key is None else key_bytes(field_of(fields, key), key),
            line,
            None if at is None else event_time(field_of(fields, at), at, self.unit),
        )


def field_of(fields: dict[str, msgspec.Raw], name: str) -> msgspec.Raw:
    """Return a field of a JSON object; `a.b`, unless there is one of this name, is the field b of the object a.

    Raises:
        ValueError: if there is none.
    """
    found = msgspec.Raw(b"null")
    try:
        *outer, last = [name] if name in fields else name.split(".")
        for part in outer:
            found = fields[part]
            fields = _FIELDS.decode(found)
        return fields[last]
    except KeyError:
        raise ValueError(f"there is no field {name}") from None
    except msgspec.DecodeError:
        raise ValueError(f"there is no field {name}: {shown(found)} has none") from None
