"""Rows of profiles: values in the format of the results, or else JSON; each says by how it begins which it is.

So a table that was written under other settings is not taken for one of these, whatever became of its store, of the
group's offsets or of its changelog in between.
"""

from __future__ import annotations

from typing import Final

from streamapp.formats.avro import SINGLE_OBJECT
from streamapp.formats.named import FormatName

__all__ = ["PROTOBUF", "format_of"]

#: Stands before a row in Protobuf, which says nothing of itself: neither text nor MessagePack has this byte.
PROTOBUF: Final = b"\xc1"
#: How an object begins in MessagePack: of up to 15 fields, and of more.
SMALL_OBJECTS: Final = range(0x80, 0x90)
LARGE_OBJECTS: Final = (0xDE, 0xDF)


def format_of(row: bytes) -> FormatName:
    """Return the format of a row; those of the first version had nothing that tells it, and were JSON."""
    if row.startswith(SINGLE_OBJECT):
        return FormatName.AVRO
    if row.startswith(PROTOBUF):
        return FormatName.PROTOBUF
    if row and (row[0] in SMALL_OBJECTS or row[0] in LARGE_OBJECTS):
        return FormatName.MSGPACK
    return FormatName.JSON
