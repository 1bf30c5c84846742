"""Forms of keys: what one looks like that does not fit, so that it can be said, and what would help.

Keys are written in many ways: a serializer for JSON puts a string into quotes, one for integers makes four or eight
bytes of it, those of a schema registry put a schema's number before it, and Kafka Connect makes it an object.
"""

from __future__ import annotations

import dataclasses
import enum
import struct
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

__all__ = ["Form", "KeyForm", "form_of", "key_form", "read_key"]

#: How the wire format of Confluent's serializers begins: a zero, and the number of the schema.
WIRE: Final = struct.Struct(">bi")
#: Bytes of a key that are shown.
SHOWN: Final = 60


class KeyForm(enum.StrEnum):
    """How a key has to do with the field that it should be."""

    #: It is the field's value.
    FIELD = "field"
    NONE = "none"
    QUOTED = "quoted"
    INT32 = "int32"
    INT64 = "int64"
    #: A JSON object with the field in it.
    OBJECT = "object"
    #: Avro in Confluent's wire format, which is the field's value.
    AVRO_STRING = "avro_string"
    AVRO_LONG = "avro_long"
    #: Something else in Confluent's wire format.
    WIRE = "wire"
    #: The value of another field.
    OTHER_FIELD = "other_field"
    OTHER = "other"


class Form(NamedTuple):
    """The form of a key, in words too: ``the key … is TEXT``."""

    form: KeyForm
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Payload:
    """What Kafka Connect makes of a key with a schema."""

    payload: dict[str, msgspec.Raw]


_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_payload: Final = msgspec.json.Decoder(_Payload).decode
_text: Final = msgspec.json.Decoder(str).decode
_id: Final = msgspec.json.Decoder(str | int | float).decode


def key_form(key: bytes | None, value: bytes | None, field: str) -> Form:
    """Return in which form a key is the value's field, or what it is instead.

    Args:
        key: the record's key.
        value: the record's value; it should be a JSON object, and may be anything.
        field: that the key should be.
    """
    if key is None:
        return Form(KeyForm.NONE, "none")
    fields = _object(value)
    expected = _scalar(fields.get(field))
    if expected is not None and (form := form_of(key, expected, field)) in _TEXTS:
        return Form(form, _TEXTS[form].format(field=field, schema=_schema(key)))
    other = next((name for name, raw in fields.items() if name != field and _scalar(raw) == key), None)
    if other is not None:
        return Form(KeyForm.OTHER_FIELD, f"the value's {other}, not its {field}")
    return _shape(key, field, expected)


def form_of(key: bytes, expected: bytes, field: str) -> KeyForm:
    """Return in which form a key is the field's value; `KeyForm.OTHER` = in none that can be read.

    Args:
        key: the record's key.
        expected: the field's value.
        field: its name.
    """
    return next((form for form in _TEXTS if read_key(key, form, field) == expected), KeyForm.OTHER)


def read_key(key: bytes, form: KeyForm, field: str) -> bytes | None:
    """Return the value of the field that a key of a form is; None = it is not of this form."""
    match form:
        case KeyForm.FIELD:
            return key or None
        case KeyForm.QUOTED:
            return _string(key)
        case KeyForm.INT32 | KeyForm.INT64:
            size = 4 if form is KeyForm.INT32 else 8
            return b"%d" % int.from_bytes(key, signed=True) if len(key) == size else None
        case KeyForm.OBJECT:
            return _scalar(_object(key).get(field)) or _scalar(_connect(key).get(field))
        case KeyForm.AVRO_STRING | KeyForm.AVRO_LONG:
            return _avro(key, form)
        case _:
            return None


_TEXTS: Final[Mapping[KeyForm, str]] = {
    KeyForm.FIELD: "its {field}",
    KeyForm.QUOTED: "the {field} with JSON quotes",
    KeyForm.INT32: "the {field} as a 4-byte integer",
    KeyForm.INT64: "the {field} as an 8-byte integer",
    KeyForm.OBJECT: "a JSON object with the {field} in it",
    KeyForm.AVRO_STRING: "the {field} in Confluent's wire format (schema {schema}: an Avro string)",
    KeyForm.AVRO_LONG: "the {field} in Confluent's wire format (schema {schema}: an Avro integer)",
}


def _shape(key: bytes, field: str, expected: bytes | None) -> Form:
    """Tell what a key is by itself."""
    against = "" if expected is None else f", and not that of the value's {field}, {_shown(expected)}"
    if _string(key) is not None:
        return Form(KeyForm.QUOTED if expected is None else KeyForm.OTHER, f"a string with JSON quotes{against}")
    if schema := _schema(key):
        holds = f", with the {field} in it" if expected and expected in key else ""
        return Form(KeyForm.WIRE, f"in Confluent's wire format (schema {schema}: Avro, Protobuf or JSON Schema){holds}")
    if _object(key):
        return Form(KeyForm.OTHER, f"a JSON object without the {field}")
    if len(key) in {4, 8} and not (key.isascii() and key.decode().isprintable()):
        number = int.from_bytes(key, signed=True)
        return Form(KeyForm.OTHER, f"maybe an integer of {len(key)} bytes, {number}{against}")
    return Form(KeyForm.OTHER, f"not that of the value, {_shown(expected)}" if expected is not None else "another one")


def _shown(text: bytes) -> str:
    decoded = text.decode(errors="backslashreplace")
    return repr(decoded if len(decoded) <= SHOWN else f"{decoded[:SHOWN]}…")


def _object(data: bytes | None) -> Mapping[str, msgspec.Raw]:
    try:
        return _fields(data or b"")
    except (msgspec.DecodeError, RecursionError):
        return {}


def _connect(data: bytes) -> Mapping[str, msgspec.Raw]:
    try:
        return _payload(data).payload
    except (msgspec.DecodeError, RecursionError):
        return {}


def _scalar(raw: msgspec.Raw | None) -> bytes | None:
    """Return a string, or a number as it is written, as the bytes of a key; None for anything else."""
    try:
        found = None if raw is None else _id(raw)
        return (found.encode() if isinstance(found, str) else bytes(raw or b"")) or None
    except (msgspec.DecodeError, RecursionError):
        return None


def _string(data: bytes) -> bytes | None:
    try:
        return _text(data).encode() or None if data.startswith(b'"') else None
    except msgspec.DecodeError:
        return None


def _schema(data: bytes) -> int:
    """Return the number of the schema that data in Confluent's wire format has; 0 = it is not in it."""
    if len(data) <= WIRE.size:
        return 0
    magic, schema = WIRE.unpack_from(data)
    return schema if magic == 0 and schema > 0 else 0


def _avro(key: bytes, form: KeyForm) -> bytes | None:
    """Read an Avro string or integer behind the number of its schema."""
    if not _schema(key):
        return None
    number, shift, at = 0, 0, WIRE.size
    while at < len(key) and shift < 64:
        byte = key[at]
        number, shift, at = number | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            break
    else:
        return None
    number = (number >> 1) ^ -(number & 1)
    if form is KeyForm.AVRO_LONG:
        return b"%d" % number if at == len(key) else None
    return key[at:] or None if number == len(key) - at else None
