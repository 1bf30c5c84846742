"""What a value that is no JSON object looks like: told to whoever expected JSON, by the bytes alone."""

from __future__ import annotations

import codecs
from typing import Final

import msgspec

__all__ = ["JSON_OBJECT", "form_of", "not_json"]

JSON_OBJECT: Final = "a JSON object"

#: What files and frames of a format begin with.
BEGINNINGS: Final = (
    (b"Obj\x01", "an Avro file"),
    (b"\xc3\x01", "Avro, with the fingerprint of its schema"),
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"\x04\x22\x4d\x18", "compressed with lz4"),
    (b"PK\x03\x04", "a zip file"),
    (b"\xac\xed\x00\x05", "a serialized Java object"),
    (codecs.BOM_UTF16_LE, "text in UTF-16"),
    (codecs.BOM_UTF16_BE, "text in UTF-16"),
)
#: The schema registry's frame: a zero, the schema's id in four bytes, and then the payload.
FRAME_BYTES: Final = 5
#: Bytes that are looked at; a value may be large.
LOOKED_AT_BYTES: Final = 1 << 16
#: Of what is decoded from JSON.
JSON_TYPES: Final = {list: "array", bool: "boolean", int: "number", float: "number", str: "string"}

_decode: Final = msgspec.json.Decoder().decode
_unpack: Final = msgspec.msgpack.Decoder().decode


def form_of(value: bytes) -> str:
    """Return what a value looks like, in words."""
    if not value.strip():
        return "empty" if not value else "nothing but spaces"
    if value[0] == 0 and len(value) > FRAME_BYTES:
        return _framed(value)
    for beginning, form in BEGINNINGS:
        if value.startswith(beginning):
            return form
    return _json(value) or _text(value) or _binary(value)


def not_json(error: object, value: bytes) -> str:
    """Return an error about a value that is no JSON object as it should be, with what the value looks like."""
    form = form_of(value)
    return str(error) if form == JSON_OBJECT else f"{error}; the value is {form}"


def _framed(value: bytes) -> str:
    schema = f"of a schema registry (schema {int.from_bytes(value[1:FRAME_BYTES])})"
    if value[FRAME_BYTES:].lstrip()[:1] == b"{":
        return f"JSON in a frame {schema}: {FRAME_BYTES} bytes are before it"
    return f"Avro or Protobuf {schema}"


def _json(value: bytes) -> str:
    try:
        found = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if isinstance(found, dict):
        return JSON_OBJECT
    if isinstance(found, str) and _json(found.encode()) == JSON_OBJECT:
        return f"{JSON_OBJECT} that was made JSON twice: it stands in a string"
    return f"a JSON {JSON_TYPES.get(type(found), 'null')}"


def _text(value: bytes) -> str:
    if value.startswith(codecs.BOM_UTF8):
        return "text with a byte order mark before it"
    head = value[:LOOKED_AT_BYTES]
    even = head[: len(head) & ~1]
    if any(_printable(even.decode(coding, errors="replace")) for coding in ("utf-16-le", "utf-16-be")):
        return "text in UTF-16"
    try:
        # A character may be cut in two at the end of what is looked at.
        text = codecs.getincrementaldecoder("utf-8")().decode(head, final=len(value) <= LOOKED_AT_BYTES).strip()
    except UnicodeDecodeError:
        return ""
    if not all(map(_shown, text)):
        return ""
    if text.startswith("{'"):
        return "a Python dict as it is printed, with single quotes"
    if text.startswith(("{", "[")):
        return "damaged JSON"
    return "XML" if text.startswith("<") else "plain text"


def _shown(letter: str) -> bool:
    return letter.isprintable() or letter in "\t\r\n"


def _printable(text: str) -> bool:
    """Return whether a text in UTF-16 is one: any two bytes are some letter, but hardly all of them an ASCII one."""
    return len(text) > 1 and text.isascii() and all(map(_shown, text))


def _binary(value: bytes) -> str:
    try:
        if isinstance(_unpack(value), dict):
            return "MessagePack"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    if len(value) > 4 and int.from_bytes(value[:4], "little") == len(value) and not value[-1]:
        return "BSON"
    return "binary, such as Avro or Protobuf"
