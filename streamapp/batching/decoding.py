"""Decoding: which records of a batch can be used, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar, cast

import msgspec

from streamapp.batching.batch import Batch, Record
from streamapp.batching.dead_letters import Reason, Rejected

__all__ = ["Decoder", "Keyed", "Undecodable"]

T = TypeVar("T")

#: What a `content-type` header may say; a record without the header is taken for JSON.
JSON_TYPES: Final = frozenset({b"application/json", b"json"})


class Keyed(Record, Protocol):
    """A record that was decoded: it has a key, and a value unless it is a tombstone."""

    key: bytes
    value: Any


class Undecodable(ValueError):
    """A record that cannot be used, and the reason."""

    def __init__(self, reason: Reason, error: str) -> None:
        super().__init__(error)
        self.reason = reason


class Decoder(Generic[T]):
    """Decodes JSON records of one type, strictly in the fields it declares and leniently in all others.

    Args:
        type: a msgspec Struct.
        key: gives the key that a record with this value must have.
        tombstones: whether a record without a value is good (it deletes) or is rejected.
    """

    def __init__(self, type: type[T], key: Callable[[T], str], *, tombstones: bool = False) -> None:  # noqa: A002
        self._decode = msgspec.json.Decoder(type).decode
        self._key = key
        self._tombstones = tombstones

    def split(self, batch: Batch) -> tuple[list[tuple[Keyed, T | None]], list[Rejected]]:
        """Divide a batch into the records that can be used, with their values, and those that cannot."""
        good: list[tuple[Keyed, T | None]] = []
        bad: list[Rejected] = []
        for record in batch:
            try:
                good.append((cast(Keyed, record), self.decode(record)))
            except Undecodable as exc:
                bad.append(Rejected(record, exc.reason, str(exc)))
        return good, bad

    def decode(self, record: Record) -> T | None:
        """Decode a record; None is a tombstone.

        Raises:
            Undecodable: if the record cannot be used.
        """
        key, data = record.key, record.value
        if key is None:
            raise Undecodable(Reason.NULL_KEY, "the record has no key")
        for name, content in record.headers:
            if name == "content-type" and content.split(b";")[0].strip().lower() not in JSON_TYPES:
                raise Undecodable(Reason.UNKNOWN_CODEC, f"the content-type {content!r} is not application/json")
        if data is None:
            if self._tombstones:
                return None
            raise Undecodable(Reason.TOMBSTONE, "the record has no value, and this topic has no tombstones")
        try:
            value = self._decode(data)
            if not data.isascii():
                data.decode()  # msgspec skips over strings that it need not give, without a look at their bytes
        except msgspec.ValidationError as exc:
            reason = Reason.MISSING_FIELD if "missing required field" in str(exc) else Reason.WRONG_TYPE
            raise Undecodable(reason, str(exc)) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise Undecodable(Reason.NOT_JSON, str(exc)) from None
        expected = self._key(value)
        if key != expected.encode():
            raise Undecodable(Reason.KEY_MISMATCH, f"the key {key!r} is not that of the value, {expected!r}")
        return value
