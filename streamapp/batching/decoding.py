"""Decoding: which records of a batch can be used, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from operator import attrgetter
from typing import Any, Final, Generic, Protocol, TypeVar, cast

import msgspec

from streamapp.batching.batch import Batch, Record
from streamapp.batching.dead_letters import Reason, Rejected

__all__ = ["Decoded", "Decoder", "Keyed", "Undecodable"]

T = TypeVar("T")

HEADERS: Final = attrgetter("headers")

#: What a `content-type` header may say; a record without the header is taken for JSON.
JSON_TYPES: Final = frozenset({b"application/json", b"json"})


class Keyed(Record, Protocol):
    """A record that can be used: it has a key, and a value unless it is a tombstone."""

    @property
    def key(self) -> bytes:
        """The key."""
        ...

    @property
    def value(self) -> Any:
        """The value, or None."""
        ...


class Decoded(Batch):
    """The records of a batch that can be used; their values stay as they came."""

    @classmethod
    def all_of(cls, batch: Batch) -> Decoded:
        """Take all the records of a batch, with the columns that were looked at."""
        decoded = cls(batch.tp, batch.records, batch.work)
        vars(decoded).update(vars(batch))  # where the columns are
        return decoded

    @cached_property
    def keys(self) -> list[bytes]:  # type: ignore[override]
        """The records' keys."""
        return [record.key for record in self]

    def __iter__(self) -> Iterator[Keyed]:
        return cast("Iterator[Keyed]", iter(self.records))


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

    def split(self, batch: Batch) -> tuple[Decoded, list[Rejected]]:
        """Divide a batch into the records that can be used, and those that cannot."""
        if self._all_good(batch):
            return Decoded.all_of(batch), []
        good: list[Record] = []
        bad: list[Rejected] = []
        for record in batch:
            try:
                self.decode(record)
            except Undecodable as exc:
                bad.append(Rejected(batch.tp, record, exc.reason, str(exc)))
            else:
                good.append(record)
        return Decoded(batch.tp, good, batch.work), bad

    def _all_good(self, batch: Batch) -> bool:
        """Tell whether all records can surely be used: most batches are so, and a look at the whole costs half."""
        decode, key, values = self._decode, self._key, batch.values
        if any(map(HEADERS, batch)) or None in values:
            return False
        data = cast("list[bytes]", values)
        try:
            return all(map(bytes.isascii, data)) and batch.keys == [key(decode(value)).encode() for value in data]
        except (msgspec.DecodeError, RecursionError):
            return False

    def decode(self, record: Record) -> T | None:
        """Decode a record; None is a tombstone.

        Raises:
            Undecodable: if the record cannot be used.
        """
        key, data = record.key, record.value
        if key is None:
            raise Undecodable(Reason.NULL_KEY, "the record has no key")
        for name, content in record.headers:
            if name == "content-type" and (content or b"").split(b";")[0].strip().lower() not in JSON_TYPES:
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
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise Undecodable(Reason.NOT_JSON, str(exc)) from None
        expected = self._key(value)
        if key != expected.encode():
            raise Undecodable(Reason.KEY_MISMATCH, f"the key {key!r} is not that of the value, {expected!r}")
        return value
