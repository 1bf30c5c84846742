"""The wire format of Confluent's serializers: which schema of a registry a key or a value is of.

Before the data stand a zero and the schema's id in four bytes, or a one and the schema's UUID; or a header of the
record has that, and the data are bare. Of Protobuf there follows which message of the schema it is: its index in the
file, after those of the messages around it, as zigzag varints behind their count; a count of 0 is the file's first.
https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias

__all__ = ["KEY_HEADER", "VALUE_HEADER", "Framed", "SchemaId", "WireError", "frame", "read_frame"]

#: Which schema: a number, or since Confluent Platform 8 a UUID.
SchemaId: TypeAlias = int | uuid.UUID

#: The headers of a record that may have it.
KEY_HEADER: Final = "__key_schema_id"
VALUE_HEADER: Final = "__value_schema_id"

#: The first byte, by what follows.
ID, UUID = 0, 1
ID_FRAME: Final = struct.Struct(">bI")
UUID_BYTES: Final = 16
#: Registries count from 1, in Java's int: other bytes that begin with a zero are none of theirs.
SMALLEST_ID: Final = 1
LARGEST_ID: Final = 2**31 - 1
#: Bits of a varint at most, and messages around a message: more are none of a schema's.
VARINT_BITS: Final = 35
DEEPEST: Final = 100


class WireError(ValueError):
    """Bytes that are not in the wire format; the text says what they are instead."""


class Framed(NamedTuple):
    """Data, and of which schema they are."""

    schema: SchemaId
    data: bytes
    #: What a header has behind the id; None = the id stands before the data.
    told: bytes | None = None

    def message(self) -> tuple[tuple[int, ...], bytes]:
        """Return which message of a schema of Protobuf the data are, and the data themselves.

        Raises:
            WireError: if it is not told.
        """
        if self.told is not None:
            return _read_path(self.told)[0], self.data
        return _read_path(self.data)


def read_frame(data: bytes, headers: Iterable[tuple[str, bytes | None]] = (), *, key: bool = False) -> Framed:
    """Return a key or a value without what tells its schema.

    Raises:
        WireError: if nothing tells it.
    """
    if headers:
        name = KEY_HEADER if key else VALUE_HEADER
        for header, value in headers:
            if header == name and value is not None:
                schema, told = _read_id(value, f"the header {name}")
                return Framed(schema, data, told)
    return Framed(*_read_id(data, "it"))


def frame(schema: SchemaId, path: tuple[int, ...] | None = None) -> bytes:
    """Return what stands before data of a schema; of Protobuf with the message's path."""
    head = bytes([UUID]) + schema.bytes if isinstance(schema, uuid.UUID) else ID_FRAME.pack(ID, schema)
    return head if path is None else head + _written_path(path)


def _read_id(data: bytes, what: str) -> tuple[SchemaId, bytes]:
    magic = data[0] if data else -1
    if magic == ID and len(data) >= ID_FRAME.size:
        id_ = ID_FRAME.unpack_from(data)[1]
        if not SMALLEST_ID <= id_ <= LARGEST_ID:
            raise WireError(f"{what} has the schema id {id_}, where ids are from {SMALLEST_ID} to {LARGEST_ID}")
        return id_, data[ID_FRAME.size :]
    if magic == UUID and len(data) > UUID_BYTES:
        return uuid.UUID(bytes=data[1 : 1 + UUID_BYTES]), data[1 + UUID_BYTES :]
    begins = f"begins with {data[:1].hex()}" if data else "is empty"
    raise WireError(f"{what} has no id of a schema before it: it {begins}")


def _read_path(data: bytes) -> tuple[tuple[int, ...], bytes]:
    count, at = _varint(data, 0)
    if not 0 <= count <= DEEPEST:
        raise WireError(f"it has {count} messages around its message")
    path = []
    for _ in range(count):
        index, at = _varint(data, at)
        path.append(index)
    return tuple(path) or (0,), data[at:]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(data) and shift < VARINT_BITS:
        byte = data[at]
        number, shift, at = number | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at
    raise WireError("it does not say which message of its schema it is")


def _written_path(path: tuple[int, ...]) -> bytes:
    return b"\0" if path == (0,) else b"".join(map(_zigzag, (len(path), *path)))


def _zigzag(number: int) -> bytes:
    number <<= 1  # what is written is never negative
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])
