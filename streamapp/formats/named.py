"""Formats by their names, as settings and options of commands have them."""

from __future__ import annotations

import enum

from streamapp.errors import StreamappError
from streamapp.formats.avro import Avro
from streamapp.formats.format import Format, Json
from streamapp.formats.msgpack import MessagePack
from streamapp.formats.protobuf import Protobuf
from streamapp.formats.protobuf_names import SUFFIX
from streamapp.formats.raw import Raw

__all__ = ["FormatName", "named"]


class FormatName(enum.StrEnum):
    """The name of a format."""

    JSON = "json"
    AVRO = "avro"
    PROTOBUF = "protobuf"
    MSGPACK = "msgpack"
    RAW = "raw"


def named(name: FormatName, schema: str = "", option: str = "the schema") -> Format:
    """Return a format.

    Args:
        name: of it.
        schema: for Avro a file (``order.avsc``), and after commas those of earlier schemas; for Protobuf a file and
            the message in it (``order.proto``, ``order.proto:Order``), or a generated class (``module:Order``).
        option: what messages call the schema, such as the setting that has it.

    Raises:
        StreamappError: if the format needs a schema and there is none, or takes none.
    """
    match name:
        case FormatName.AVRO | FormatName.PROTOBUF if not schema:
            raise StreamappError(f"{name} needs a schema: {option} names its file")
        case FormatName.AVRO:
            first, *earlier = schema.split(",")
            return Avro(first, tuple(earlier))
        case FormatName.PROTOBUF:
            file, suffix, message = schema.partition(f"{SUFFIX}:")
            return Protobuf(f"{file}{SUFFIX}", message) if suffix else Protobuf(schema)
        case _ if schema:
            raise StreamappError(f"{option}={schema}: {name} takes no schema")
        case FormatName.MSGPACK:
            return MessagePack()
        case FormatName.RAW:
            return Raw()
        case _:
            return Json()
