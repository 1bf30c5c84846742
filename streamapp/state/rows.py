"""Rows as they are shown: JSON where it is JSON, text where it is text, else base64."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

import msgspec

from streamapp.conditions import Condition, Seen
from streamapp.formats.undecodable import Undecodable
from streamapp.joins.rows import Row

__all__ = ["NO_VALUE", "AsJson", "ShownKey", "ShownRow", "matching", "shown", "shown_key", "shown_value"]

NO_VALUE: Final = msgspec.Raw(b"null")

#: Makes JSON of the value of a row (`Table.shown`); None = it is JSON.
AsJson: TypeAlias = Callable[[bytes], bytes] | None


class ShownKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key."""

    #: With what is not UTF-8 in it as \\xFF.
    key: str
    #: The same bytes, if some are not UTF-8.
    key_base64: str | None = None


class ShownRow(ShownKey, frozen=True, kw_only=True, omit_defaults=True):
    """A row of a table."""

    #: The JSON that it is; null if it is none.
    value: msgspec.Raw
    #: Its bytes, if they are no JSON.
    value_base64: str | None = None
    #: The event time (ms since 1970).
    time: int


def shown_key(key: bytes) -> tuple[str, str | None]:
    """Return a key for people, and its bytes in base64 if it is not all UTF-8."""
    try:
        return key.decode(), None
    except UnicodeDecodeError:
        return key.decode(errors="backslashreplace"), _base64(key)


def shown_value(value: bytes, as_json: AsJson = None) -> tuple[msgspec.Raw, str | None, Any]:
    """Return a value as JSON, its bytes in base64 if it is none, and what the JSON says."""
    try:
        data = value if as_json is None else as_json(value)
        found = msgspec.json.decode(data)
    except (Undecodable, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NO_VALUE, _base64(value), None
    return msgspec.Raw(data), None, found


def shown(key: bytes, row: Row, as_json: AsJson = None) -> ShownRow:
    """Return a row, whose key is a text."""
    return next(row for _, row in matching([(key, row)], None, as_json))


def matching(
    rows: Iterable[tuple[bytes, Row]], holds: Condition | None, as_json: AsJson = None
) -> Iterator[tuple[int, ShownRow]]:
    """Go through the rows, by text, for which a condition holds (None = for all), with their places from 1 on."""
    for place, (key, row) in enumerate(rows, 1):
        name, key_base64 = shown_key(key)
        value, value_base64, found = shown_value(row.value, as_json)
        if holds is None or holds(Seen(name, row.timestamp, found)):
            yield (
                place,
                ShownRow(key=name, key_base64=key_base64, value=value, value_base64=value_base64, time=row.timestamp),
            )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
