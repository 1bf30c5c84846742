"""Records as they are shown: as JSON, with key and value decoded as what they are declared, or by their content."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from streamapp.formats.format import Format
from streamapp.formats.non_finite import printed
from streamapp.formats.registered import RegisteredData
from streamapp.formats.registry import RegistryError
from streamapp.formats.undecodable import Undecodable
from streamapp.formats.value_forms import form_of
from streamapp.kafka.log_reader import Logged
from streamapp.kafka.record import Headers

__all__ = ["Content", "Decoding", "Shown", "moment", "shown"]

#: Bytes that are no text: ``{"base64": …}``.
Text: TypeAlias = str | Mapping[str, str]

_json: Final = msgspec.json.Decoder().decode
_unpack: Final = msgspec.msgpack.Decoder().decode
_print: Final = msgspec.json.Encoder().encode
#: What JSON and MessagePack are not, when they are tried.
NOT_SO: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, TypeError)


class Content(msgspec.Struct, frozen=True):
    """What bytes are: their JSON, and how that was found."""

    json: msgspec.Raw
    #: Empty for JSON and text.
    format: str = ""
    error: str = ""


class Shown(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record as it is printed."""

    partition: int
    offset: int
    #: Of ISO 8601, UTC; that of 1970 if there is none.
    timestamp: str
    key: msgspec.Raw
    value: msgspec.Raw
    #: Several of one name are a list.
    headers: Mapping[str, Text | list[Text]] = {}
    #: What keys and values are that are not JSON or text.
    key_format: str = ""
    format: str = ""
    #: Why the value or the key is not of the format that was asked for.
    error: str = ""


class Decoding:
    """How records are decoded.

    Args:
        values: what they are; None = it is found by their content.
        keys: likewise; what is of no registry is text then, or bytes.
        registered: what reads values and keys whose schema a registry has, if nothing else was said of them; None =
            there is no registry.
    """

    def __init__(
        self,
        values: Format | None = None,
        keys: Format | None = None,
        registered: tuple[RegisteredData, RegisteredData] | None = None,
    ) -> None:
        self._values, self._keys = values, keys
        self._registered = registered

    def shown(self, record: Logged) -> Shown:
        """Return a record as it is shown."""
        headers = record.headers
        return shown(record, self.key(record.key, headers), self.value(record.value, headers))

    def value(self, data: bytes | None, headers: Headers) -> Content:
        """Return what the value of a record is."""
        if data is None:
            return NULL
        if self._values is not None:
            return _declared(self._values, data, headers)
        return (self._registered and _told(self._registered[0], data, headers)) or _found(data)

    def key(self, data: bytes | None, headers: Headers) -> Content:
        """Return what the key of a record is."""
        if data is None:
            return NULL
        if self._keys is not None:
            return _declared(self._keys, data, headers)
        told = self._registered and _told(self._registered[1], data, headers)
        return told or _text(data) or _bytes(data, "binary")


NULL: Final = Content(msgspec.Raw(b"null"))


def shown(record: Logged, key: Content, value: Content) -> Shown:
    """Return a record as it is shown, by what its key and value are."""
    return Shown(
        record.tp.partition,
        record.offset,
        moment(record.timestamp),
        key.json,
        value.json,
        _headers(record.headers),
        key.format,
        value.format,
        value.error or key.error,
    )


def moment(timestamp: int) -> str:
    """Return an event time (ms) as it is shown."""
    at = datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(milliseconds=timestamp)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _declared(format_: Format, data: bytes, headers: Headers) -> Content:
    try:
        return Content(msgspec.Raw(format_.to_json(data, headers)))
    except (Undecodable, RegistryError) as exc:
        return _bytes(data, form_of(data), str(exc))


def _told(reader: RegisteredData, data: bytes, headers: Headers) -> Content | None:
    """Return what a registry says of data, or why that cannot be told; None if it has nothing to do with them."""
    try:
        told = reader.told(data, headers)
    except (Undecodable, RegistryError) as exc:
        return _bytes(data, form_of(data), str(exc))
    return None if told is None else Content(msgspec.Raw(told.json), told.format)


def _found(data: bytes) -> Content:
    """Return what a value is by its content: JSON, MessagePack of an object, text, or bytes."""
    try:
        data.decode()  # msgspec skips over strings without a look at their bytes
        _json(data)
        return Content(msgspec.Raw(data))
    except NOT_SO:
        pass
    try:
        if isinstance(unpacked := _unpack(data), dict):
            return Content(msgspec.Raw(printed(_print, unpacked)), "msgpack")
    except NOT_SO:
        pass
    return _text(data) or _bytes(data, form_of(data))


def _text(data: bytes) -> Content | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return Content(msgspec.Raw(_print(text))) if _readable(text) else None


def _readable(text: str) -> bool:
    return all(letter.isprintable() or letter in "\t\r\n" for letter in text)


def _bytes(data: bytes, form: str, error: str = "") -> Content:
    return Content(msgspec.Raw(_print({"base64": base64.b64encode(data).decode()})), form, error)


def _headers(headers: Iterable[tuple[str, bytes]]) -> dict[str, Text | list[Text]]:
    found: dict[str, list[Text]] = {}
    for name, value in headers:
        content = _text(value) or _bytes(value, "")
        found.setdefault(name, []).append(_decoded(content.json))
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _decoded(json: msgspec.Raw) -> Any:
    return _json(json)
