"""Values as users write them: durations, and fields of JSON records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from streamapp.formats.content import json_of
from streamapp.formats.undecodable import Undecodable
from streamapp.formats.value_forms import not_json
from streamapp.joins import Record, Refused
from streamapp.misspelt import meant
from streamapp.produce.lines import key_bytes

__all__ = ["Field", "duration"]

UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DURATION: Final = re.compile(rf"(-?\d+) ?({'|'.join(UNITS_MS)})")


def duration(value: object) -> int:
    """Read a duration in ms: a whole number of them, or text such as 250ms or 10m; a ValueError if it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is no duration: write 250 (ms), or 250ms, 10s, 10m, 1h, 7d in quotes")
    return int(found[1]) * UNITS_MS[found[2]]


#: Fields of a value that are named where another one was looked for.
FIELDS_NAMED: Final = 10
#: Characters of each.
NAME_CHARACTERS: Final = 40


class Field:
    """Returns a field of a record's value, which is a JSON object, as a key; None = it is not there, or null.

    Of a CloudEvent in structured mode it is a field of the data.

    Args:
        name: of the field.
        required: whether a record must have it, if only as null.

    Raises:
        Refused: when called, for a value that is no JSON object, or whose field makes no key.
    """

    _decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

    def __init__(self, name: str, *, required: bool = False) -> None:
        self.name = name
        self._required = required

    def __call__(self, record: Record) -> bytes | None:
        """Return the field of a record."""
        try:
            fields = self._decode(json_of(record))
        except Undecodable as exc:
            raise Refused(str(exc), exc.reason) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise Refused(not_json(exc, record.value or b""), "not_json") from None
        value = fields.get(self.name)
        if value is None and self._required:
            raise Refused(self._missing(fields), "missing_field")
        try:
            return None if value is None or bytes(value) == b"null" else key_bytes(value, self.name)
        except ValueError as exc:
            raise Refused(str(exc), "wrong_type") from None

    def _missing(self, fields: Mapping[str, msgspec.Raw]) -> str:
        text = f"the value has no field {self.name}"
        head, _, rest = self.name.partition(".")
        if rest and head in fields:
            return f"{text}, as a field of the object itself; fields of fields, as in {head}, are not looked at"
        if near := meant(self.name, fields):
            return f"{text}; is {' or '.join(near)} meant?"
        if inside := [name for name, value in fields.items() if self._inside(value)]:
            return f"{text}; {inside[0]}, a field of it, has one, but fields of fields are not looked at"
        names = ", ".join(name[:NAME_CHARACTERS] for name in list(fields)[:FIELDS_NAMED])
        return f"{text}; {f'it has {names}' if names else 'it has none at all'}"

    def _inside(self, value: msgspec.Raw) -> bool:
        try:
            return self.name in self._decode(value)
        except (msgspec.DecodeError, RecursionError):
            return False
