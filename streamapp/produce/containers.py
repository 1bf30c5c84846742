"""Files of records that are no lines: Avro's object container files, MessagePack one after the other, and Protobuf.

Avro's are known by how they begin (`streamapp.produce.source`), the others by their names; of Protobuf each message has
its length before it, as a varint (``writeDelimitedTo``, ``protodelim``, ``serialize_length_prefixed``). So may have
values as they are in topics, in the wire format of a schema registry.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from streamapp.errors import ProduceError
from streamapp.extras import Extra, require
from streamapp.formats.format import Format
from streamapp.formats.named import FormatName, named
from streamapp.formats.undecodable import Undecodable
from streamapp.produce.source import read_lines

__all__ = ["PROTOBUF", "read_records"]

#: How names of files end.
MESSAGEPACK: Final = (".msgpack", ".mpk", ".mp")
PROTOBUF: Final = (".pb", ".binpb")
#: Bytes of a length, and of a message, at most: more are none.
LENGTH_BYTES: Final = 5
MESSAGE_BYTES: Final = 1 << 28

_print: Final = msgspec.json.Encoder().encode


def read_records(path: Path, proto: str = "", registered: Format | None = None) -> Iterator[bytes]:
    """Yield the records of a file as JSON; of what is neither MessagePack nor Protobuf by its name, the lines.

    Args:
        path: of the file.
        proto: the message of Protobuf (``order.proto``, ``order.proto:Order`` or ``module:Order``).
        registered: what the messages are, if that is not given.

    Raises:
        StreamappError: if it cannot be read; names the file, and which of its records.
    """
    if path.suffix not in (*MESSAGEPACK, *PROTOBUF):
        yield from read_lines(path)
        return
    message = _message(path, proto, registered) if path.suffix in PROTOBUF else None
    try:
        with path.open("rb") as file:
            yield from _messagepack(file, path) if message is None else _protobuf(file, path, message)
    except OSError as exc:
        raise ProduceError(f"cannot read {path}: {exc.strerror}") from None


def _message(path: Path, proto: str, registered: Format | None) -> Format:
    if registered is not None and not proto:
        return registered
    return named(FormatName.PROTOBUF, proto, "--proto").bound(str(path))


def _messagepack(file: BinaryIO, path: Path) -> Iterator[bytes]:
    require(Extra.MSGPACK)
    import msgpack

    unpacked, number = msgpack.Unpacker(file, timestamp=3, strict_map_key=False), 1
    try:
        for value in unpacked:
            yield _print(value)
            number += 1
    except (ValueError, TypeError, msgpack.UnpackException, msgspec.MsgspecError) as exc:
        raise ProduceError(f"{path}:{number}: it is no MessagePack: {str(exc) or type(exc).__name__}") from None
    try:
        complete = not unpacked.read_bytes(1)
    except ValueError:  # it has begun an object
        complete = False
    if not complete:
        raise ProduceError(f"{path}:{number}: it is cut off")


def _protobuf(file: BinaryIO, path: Path, message: Format) -> Iterator[bytes]:
    number = 1
    while (length := _length(file, path, number)) is not None:
        data = file.read(length)
        if len(data) < length:
            raise ProduceError(f"{path}:{number}: it is cut off")
        try:
            yield message.to_json(data)
        except Undecodable as exc:
            raise ProduceError(f"{path}:{number}: {exc}") from None
        number += 1


def _length(file: BinaryIO, path: Path, number: int) -> int | None:
    """Read the length of the next message; None = there is none."""
    length = 0
    for place in range(LENGTH_BYTES):
        byte = file.read(1)
        if not byte and not place:
            return None
        if not byte:
            break
        length |= (byte[0] & 0x7F) << 7 * place
        if byte[0] < 0x80 and length <= MESSAGE_BYTES:
            return length
    raise ProduceError(f"{path}:{number}: there is no length of a message before it")
