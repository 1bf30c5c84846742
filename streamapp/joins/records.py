"""What goes into a join: records, and the side each one is from."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterable
from typing import Protocol

import msgspec

__all__ = ["Batch", "Buffered", "Event", "Record", "Side", "both_sides", "from_side"]


class Side(enum.IntEnum):
    """The input that a record is from: a join reads ``left.join(right)``."""

    LEFT = 0
    RIGHT = 1


class Record(Protocol):
    """What a join needs to know of a record; the records of aiokafka are such, and `Event` is."""

    @property
    def key(self) -> bytes | None:
        """What is joined on; None joins nothing."""

    @property
    def value(self) -> bytes | None:
        """The payload; None is a tombstone, which deletes the key's row where the side is a table."""

    @property
    def timestamp(self) -> int:
        """The event time (ms)."""

    @property
    def offset(self) -> int:
        """The place in the input partition, handed on with the results; no join depends on it."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """A record made by hand, without Kafka."""

    key: bytes | None
    value: bytes | None
    timestamp: int
    offset: int = -1


class Buffered(msgspec.Struct, array_like=True, gc=False):
    """A record that a join keeps for a time; numbers tell in which order records came."""

    key: bytes
    value: bytes
    timestamp: int
    offset: int
    number: int
    matched: bool = False

    def is_of(self, record: Record) -> bool:
        """Tell whether this is what is kept of a record."""
        return (self.offset, self.key, self.value) == (record.offset, record.key, record.value)


#: Records with the number of the input they are from (a `Side`, if there are two), in the order in which they are
#: to be joined.
Batch = Iterable[tuple[int, Record]]


def from_side(side: int, records: Iterable[Record]) -> Batch:
    """Make a batch of records that are all from one side."""
    return zip(itertools.repeat(side), records)


def both_sides(records: Iterable[Record]) -> Batch:
    """Make a batch for a self join: each record comes from the left, and then from the right."""
    return ((side, record) for record in records for side in Side)
