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
FRAME: Final = 5
#: Bytes that are looked at; a value may be large.
LOOKED_AT: Final = 1 << 16

_decode: Final = msgspec.json.Decoder().decode
_unpack: Final = msgspec.msgpack.Decoder().decode


def form_of(value: bytes) -> str:
    """Return what a value looks like, in words."""
    if not value.strip():
        return "empty" if not value else "nothing but spaces"
    if value[0] == 0 and len(value) > FRAME:
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
    schema = f"of a schema registry (schema {int.from_bytes(value[1:FRAME])})"
    payload = value[FRAME:]
    if payload.lstrip()[:1] == b"{":
        return f"JSON in a frame {schema}: {FRAME} bytes are before it"
    # Before a Protobuf message stands which one of its file it is: mostly the first, a zero.
    if payload[0] == 0 and len(payload) > 1 and _protobuf(payload[1:]):
        return f"Protobuf {schema}"
    return f"Avro or Protobuf {schema}"


def _json(value: bytes) -> str:
    try:
        found = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if isinstance(found, dict):
        return JSON_OBJECT
    if isinstance(found, str):
        inside = _json(found.encode())
        return f"{inside} that was made JSON twice: it stands in a string" if inside == JSON_OBJECT else "a JSON string"
    kinds = {list: "array", bool: "boolean", int: "number", float: "number"}
    return f"a JSON {kinds.get(type(found), 'null')}"


def _text(value: bytes) -> str:
    if value.startswith(codecs.BOM_UTF8):
        return "text with a byte order mark before it"
    head = value[:LOOKED_AT]
    if any(
        _printable(head[: len(head) & ~1].decode(coding, errors="replace")) for coding in ("utf-16-le", "utf-16-be")
    ):
        return "text in UTF-16"
    try:
        # A character may be cut in two at the end of what is looked at.
        text = codecs.getincrementaldecoder("utf-8")().decode(head, final=len(value) <= LOOKED_AT).strip()
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
    """Tell whether a text in UTF-16 is one: any two bytes are some letter, but hardly all of them an ASCII one."""
    return len(text) > 1 and text.isascii() and all(map(_shown, text))


def _binary(value: bytes) -> str:
    try:
        if isinstance(_unpack(value), dict):
            return "MessagePack"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    if len(value) > 4 and int.from_bytes(value[:4], "little") == len(value) and not value[-1]:
        return "BSON"
    return "binary, such as Protobuf" if _protobuf(value[:LOOKED_AT]) else "binary, such as Avro"


def _protobuf(data: bytes) -> bool:
    """Tell whether bytes can be read as the fields of a Protobuf message."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        kind = tag & 7
        if not tag >> 3 or place < 0:
            return False
        if kind == 2:
            size, place = _varint(data, place)
            place = place + size if place >= 0 else place
        elif kind == 0:
            _, place = _varint(data, place)
        else:
            place += {1: 8, 5: 4}.get(kind, len(data) + 1)
        if not 0 <= place <= len(data):
            return False
    return place > 0


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Read a varint; gives it and the place after it, -1 = there is none."""
    number = shift = 0
    while place < len(data) and shift < 64:
        byte = data[place]
        number |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return number, place
    return 0, -1
