"""What a function gets and may return: a record whose value is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec

from streamapp.joins import Record
from streamapp.windows.aggregate import Value

__all__ = ["TypedRecord", "key_of", "made_of", "typed"]

V = TypeVar("V")


class TypedRecord(msgspec.Struct, Generic[V], frozen=True, gc=False):
    """A record with its value decoded: as the type that its topic declares, else as JSON.

    Args:
        key: of the record.
        value: None deletes, as a record without a value does.
        timestamp: the event time (ms).
        headers: in their order.
        origin: what it is made of: the record of a topic, or a result.
        encoded: the value as it came, as long as nothing has changed it.
    """

    key: bytes | None
    value: V
    timestamp: int
    headers: Sequence[tuple[str, bytes]] = ()
    origin: Any = None
    encoded: bytes | None = None

    @property
    def offset(self) -> int:
        """The place in the input partition of the record that it is made of; -1 = there is none."""
        return getattr(self.origin, "offset", -1)

    def replace(self, **changes: Value) -> TypedRecord[Value]:
        """Return it with another key, value, timestamp or other headers."""
        return msgspec.structs.replace(self, **changes)


def typed(record: Record, value: V, headers: Sequence[tuple[str, bytes]] = ()) -> TypedRecord[V]:
    """Return a record of a topic with its value decoded, and the headers that are its own."""
    return TypedRecord(record.key, value, record.timestamp, headers, record, record.value)


def made_of(record: TypedRecord[Value], result: Value) -> TypedRecord[Value]:
    """Return what a function made of a record, as a record: a value has the record's key, time and headers.

    Raises:
        TypeError: for a record whose key or time is none.
    """
    if not isinstance(result, TypedRecord):
        return TypedRecord(record.key, result, record.timestamp, record.headers, record.origin)
    if type(result.timestamp) is not int:
        raise TypeError(f"the timestamp of a record is in whole ms, not {result.timestamp!r}")
    return TypedRecord(key_of(result.key), result.value, result.timestamp, result.headers, record.origin)


def key_of(key: object) -> bytes | None:
    """Return a key as bytes.

    Raises:
        TypeError: if it is none.
    """
    if key is None or isinstance(key, bytes):
        return key
    if isinstance(key, str):
        return key.encode()
    raise TypeError(f"a key is bytes or text, not {key!r}")
