"""Fields of values that are JSON objects, as keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from streamapp.formats.content import json_of
from streamapp.formats.undecodable import Undecodable
from streamapp.formats.value_forms import not_json
from streamapp.joins import Record, Refused
from streamapp.misspelt import meant

__all__ = ["Field", "key_bytes", "missing", "shown"]

#: Characters of a value that an error shows.
SHOWN: Final = 60
_KEY: Final = msgspec.json.Decoder(str | int | float)
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
        head, _, rest = self.name.partition(".")
        if rest and head in fields:
            return (
                f"the value has no field {self.name}, as a field of the object itself; "
                f"fields of fields, as in {head}, are not looked at"
            )
        inside = [name for name, value in fields.items() if self._inside(value)]
        if inside and not meant(self.name, fields):
            return (
                f"the value has no field {self.name}; {inside[0]}, a field of it, has one, "
                "but fields of fields are not looked at"
            )
        return missing(self.name, fields)

    def _inside(self, value: msgspec.Raw) -> bool:
        try:
            return self.name in self._decode(value)
        except (msgspec.DecodeError, RecursionError):
            return False


def missing(field: str, fields: Iterable[str], of: str = "") -> str:
    """Return, in words, that a value, or an object ``of.`` it, has other fields but not this one."""
    text = f"the value has no field {of}{field}"
    if near := meant(field, fields):
        return f"{text}; is {' or '.join(of + name for name in near)} meant?"
    names = ", ".join(name[:NAME_CHARACTERS] for name in list(fields)[:FIELDS_NAMED])
    return f"{text}; {f'it has {names}' if names else 'it has none at all'}"


def key_bytes(value: msgspec.Raw, name: str) -> bytes:
    """Return the key that a field holds: a string as it is, or a number as it is written.

    Raises:
        ValueError: for any other; the text has the field's `name`.
    """
    try:
        key = _KEY.decode(value)
    except msgspec.DecodeError:
        raise ValueError(f"the key, field {name}, must be a string or a number, not {shown(value)}") from None
    return key.encode() if isinstance(key, str) else bytes(value)


def shown(value: bytes | msgspec.Raw) -> str:
    """Return a JSON value for people, shortened."""
    text = bytes(value).decode(errors="backslashreplace")
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
