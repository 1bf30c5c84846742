"""What the bytes of a record are while it is mended: JSON, a text, or bytes; and the bytes again after that."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import enum
from typing import Any, Final

import msgspec

from streamapp.formats.format import Format
from streamapp.formats.serde import key_text, written_key
from streamapp.formats.undecodable import Undecodable
from streamapp.kafka.record import Headers
from streamapp.mending import MendError

__all__ = ["Form", "Formats", "Opened", "close_key", "close_value", "open_key", "open_value"]

_json: Final = msgspec.json.Decoder().decode
_print: Final = msgspec.json.Encoder().encode
#: What JSON is not, when it is tried.
NOT_SO: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
BASE64: Final = "base64"


class Form(enum.StrEnum):
    """What a value is, under the name that it has in a line that is edited."""

    #: JSON, or none at all: null.
    JSON = "value"
    TEXT = "text"
    BYTES = BASE64


@dataclasses.dataclass(frozen=True)
class Opened:
    """A value that can be mended."""

    form: Form
    #: The JSON decoded, a text, or the base64 of bytes.
    content: Any


@dataclasses.dataclass(frozen=True)
class Formats:
    """What the values and keys of a topic are; None = JSON, and text."""

    value: Format | None = None
    key: Format | None = None


def open_value(format_: Format | None, data: bytes | None, headers: Headers) -> Opened:
    """Return what a value is: of a format JSON, if it is of that; else by its content."""
    if data is None:
        return Opened(Form.JSON, None)
    try:
        found = data if format_ is None else format_.to_json(data, headers)
        found.decode()  # msgspec skips over strings without a look at their bytes
        return Opened(Form.JSON, _json(found))
    except (*NOT_SO, Undecodable):
        pass
    try:
        return Opened(Form.TEXT, data.decode())
    except UnicodeDecodeError:
        return Opened(Form.BYTES, base64.b64encode(data).decode())


def close_value(format_: Format | None, value: Opened) -> bytes | None:
    """Return the bytes of a value; null is none.

    Raises:
        MendError: if it cannot be.
    """
    match value.form:
        case Form.TEXT:
            return str(value.content).encode()
        case Form.BYTES:
            return _bytes(value.content)
    if value.content is None:
        return None
    try:
        encoded = _print(value.content)
        return encoded if format_ is None else format_.from_json(encoded)
    except (Undecodable, *NOT_SO, TypeError) as exc:
        raise MendError(f"its value is not of the format of the topic: {exc}") from None


def open_key(format_: Format | None, data: bytes | None, headers: Headers) -> Any:
    """Return a key: a text, ``{"base64": …}`` if it is none, or null."""
    if data is None:
        return None
    try:
        return (data if format_ is None else key_text(format_.to_json(data, headers))).decode()
    except (Undecodable, UnicodeDecodeError):
        return {BASE64: base64.b64encode(data).decode()}


def close_key(format_: Format | None, key: Any) -> bytes | None:
    """Return the bytes of a key.

    Raises:
        MendError: if it cannot be.
    """
    match key:
        case None:
            return None
        case str():
            try:
                return key.encode() if format_ is None else written_key(format_, key.encode())
            except Undecodable as exc:
                raise MendError(f"the key is not of the format of the topic: {exc}") from None
        case {"base64": str(data)} if len(key) == 1:
            return _bytes(data)
    raise MendError(f'{key!r} is no key: a key is a text, {{"{BASE64}": "…"}}, or null')


def _bytes(data: object) -> bytes:
    try:
        return base64.b64decode(str(data), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise MendError(f"this is no base64: {exc}") from None
