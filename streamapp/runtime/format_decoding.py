"""Decoding values that are not JSON: only their key is looked at, and they stay as they came, but for a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, cast

import msgspec

from streamapp.formats.format import Format
from streamapp.formats.keys import Keys
from streamapp.formats.serde import Translated
from streamapp.formats.undecodable import Reason, Undecodable
from streamapp.kafka.record import Record
from streamapp.runtime.batch import Batch
from streamapp.runtime.decoding import Decoded, Decoder
from streamapp.runtime.work import Rejected

__all__ = ["FormatDecoder", "KeyReader", "UnframedDecoder"]

T = TypeVar("T")

#: Returns the key that is in a value; None = it has to be decoded, to find the key, or what is wrong.
KeyReader = Callable[[bytes], str | int | None]


class FormatDecoder(Decoder[T]):
    """Decodes records of a format, as `Decoder` does those of JSON.

    Args:
        format: what values are.
        type: of their JSON, a msgspec Struct.
        key, tombstones, field, remedy, keys: as of `Decoder`.
        read: gives the key of a value without decoding the rest of it; None = all is decoded.
        bare: makes values that `read` does not take, such as those of an earlier schema, such as it takes; None = they
            stay as they came.
    """

    def __init__(
        self,
        format: Format,  # noqa: A002
        type: type[T],  # noqa: A002
        key: Callable[[T], str | int],
        *,
        read: KeyReader | None = None,
        bare: Callable[[bytes], bytes] | None = None,
        tombstones: bool = False,
        field: str = "user_id",
        remedy: str = "",
        keys: Keys | None = None,
    ) -> None:
        super().__init__(type, key, tombstones=tombstones, field=field, remedy=remedy, keys=keys)
        self._format = format
        self._read = read
        self._bare = bare

    def together(self, records: Sequence[Record]) -> list[T] | None:
        """Return None: of a format they are decoded one by one."""
        return None

    def _keys(self, _records: Sequence[Record], values: Sequence[bytes | None]) -> list[bytes | None]:
        """Return the keys of values, of those that need not be decoded for it."""
        if (read := self._read) is None:
            return [None for _ in values]
        return [
            None if value is None or (found := read(value)) is None else str(found).encode()  # this way it is fastest
            for value in values
        ]

    def _decoded_one(self, record: Record) -> Record:
        """Return a record that is good, with a value as `read` takes it."""
        if self._bare is None or record.value is None:
            self.decode(record)
            return record
        bare = self._bare(record.value)
        if not record.key or self._texts_known([record.key]) != self._keys([record], [bare]):
            self.decode(record)
        if bare is record.value:
            return record
        made = Translated(record.key, bare, record.timestamp, record.offset, list(record.headers), record)
        return cast(Record, made)

    def _value(self, record: Record) -> tuple[bytes, T]:
        data = self._format.to_json(record.value or b"", record.headers)
        try:
            return data, self._decoded(data)
        except msgspec.ValidationError as exc:
            reason = Reason.MISSING_FIELD if "missing required field" in str(exc) else Reason.WRONG_TYPE
            raise Undecodable(reason, str(exc)) from None


class UnframedDecoder(Generic[T]):
    """Decodes records in the wire format of a schema registry, as another decoder does those without it.

    Args:
        bare: makes of a record one without the frame; raises `Undecodable`, or that a schema is to be fetched first.
        within: decodes that.
    """

    def __init__(self, bare: Callable[[Record], Record], within: Decoder[T]) -> None:
        self._bare = bare
        self._within = within

    def split(self, batch: Batch) -> tuple[Decoded, list[Rejected]]:
        """Divide a batch into the records that can be used, without their frames, and those that cannot."""
        records: list[Record] = []
        bad: list[Rejected] = []
        for record in batch:
            try:
                records.append(self._bare(record))
            except Undecodable as exc:
                bad.append(Rejected(batch.tp, record, exc.reason, str(exc)))
        decoded, more = self._within.split(Batch(batch.tp, records, batch.work))
        return decoded, [*bad, *more]

    def decode(self, record: Record) -> T | None:
        """Decode a record; None is a tombstone; an Undecodable if the record cannot be used."""
        return self._within.decode(self._bare(record))

    def key(self, record: Record) -> bytes:
        """Return the key that a record must have by its value; an Undecodable if the record cannot be used."""
        return self._within.key(self._bare(record))
