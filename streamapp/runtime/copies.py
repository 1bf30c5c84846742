"""Copies: records of a repartitioned topic that say of which record they are, so that none is taken in twice.

At least once, a worker that ends after it has written records once more, and before it has committed that it has read
them, leaves copies that are written again. The copies of a partition are written in the order of that partition by
whoever writes them, without a gap from where the group had committed: so one that is not further on than any before it
in the same partition of the internal topic is there for the second time.

Exactly once, there is nothing to be told apart, and copies say nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec
from msgspec.structs import astuple

__all__ = ["HEADER", "Copies", "Copy", "mark", "place", "without_mark"]

#: The last header of a copy: of which partition and offset it is, and the id of the topic.
HEADER: Final = "streamapp-copy-of"
_PLACE: Final = struct.Struct(">iq")
#: Before the first copy of a partition.
NOTHING: Final = (-1, b"")

Headers = Sequence[tuple[str, bytes]]


class Copy(msgspec.Struct, frozen=True, array_like=True):
    """The furthest record of a partition of which there is a copy, and the id of its topic."""

    offset: int
    topic_id: bytes


def mark(partition: int, offset: int, topic_id: bytes) -> tuple[str, bytes]:
    """Return the header of a copy."""
    return HEADER, _PLACE.pack(partition, offset) + topic_id


class Marked(Protocol):
    """A record that may be a copy."""

    @property
    def headers(self) -> Headers:
        """Its headers, the mark behind all others."""
        ...


def place(record: Marked) -> tuple[int, int] | None:
    """Return the partition and the offset of the record that a copy is of; None = it is no copy."""
    headers = record.headers
    return _PLACE.unpack_from(headers[-1][1]) if headers and headers[-1][0] == HEADER else None


def without_mark(headers: Headers) -> Headers:
    """Return the headers that a record has of its own."""
    return headers[:-1] if headers and headers[-1][0] == HEADER else headers


class Copies:
    """Tells which copies in a partition of an internal topic are there for the second time.

    Args:
        furthest: by partition of the first topic, the furthest record of which there was a copy.
    """

    def __init__(self, furthest: Mapping[int, Copy]) -> None:
        self.furthest = dict(furthest)

    def again(self, records: Sequence[Marked]) -> list[int]:
        """Return the numbers of those records that were there before; the others are known from now on."""
        furthest, again = {partition: astuple(copy) for partition, copy in self.furthest.items()}, list[int]()
        size, unpack = _PLACE.size, _PLACE.unpack_from
        for number, record in enumerate(records):
            if not (headers := record.headers):
                continue
            name, place = headers[-1]
            if name != HEADER:
                continue
            partition, offset = unpack(place)
            before, topic_id = furthest.get(partition, NOTHING)
            # A topic that was made anew has offsets of its own.
            if offset > before or place[size:] != topic_id:
                furthest[partition] = offset, place[size:]
            else:
                again.append(number)
        self.furthest = {partition: Copy(*copy) for partition, copy in furthest.items()}
        return again
