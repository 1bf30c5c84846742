"""What a record has: as it is read, and as a result is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from streamapp.kafka.partition import TP

__all__ = ["Envelope", "Headers", "Record", "Result", "Stamped"]

Headers = list[tuple[str, bytes]]


class Stamped(Protocol):
    """What a result is sent with: a record of the input, or an `Envelope`."""

    @property
    def key(self) -> bytes | None:
        """The key."""

    @property
    def timestamp(self) -> int | None:
        """The event time (ms); None = that of sending."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """The headers, in order."""


#: A record, whose key, event time and headers the result gets, and the result's value.
Result = tuple[Stamped, bytes | None]


class Envelope(msgspec.Struct, gc=False):
    """Key, event time (ms; None = that of sending) and headers of a result that has not those of an input record."""

    key: bytes | None
    timestamp: int | None
    headers: Headers = []
    #: The record of the input that gave the result, or what an `Origin` finds it by: it goes to the dead letters if the
    #: broker refuses the result.
    source: Any = None
    #: Where that is from; None = from the partition that the batch is of.
    tp: TP | None = None


class Record(Stamped, Protocol):
    """A Kafka record as aiokafka's reader makes it."""

    @property
    def offset(self) -> int:
        """The offset in the partition."""

    @property
    def timestamp(self) -> int:
        """The event time (ms)."""

    @property
    def value(self) -> bytes | None:
        """The value, as it came."""
