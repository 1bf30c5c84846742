"""Decoding: which records of a batch can be used, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any, Final, Generic, Protocol, TypeVar, cast

import msgspec

from streamapp.formats.content import Content, content_of, content_type, event_data, headers_of_result, plain, refusal
from streamapp.formats.key_forms import key_form
from streamapp.formats.keys import Keys
from streamapp.formats.undecodable import Reason, Undecodable
from streamapp.formats.value_forms import not_json
from streamapp.kafka.record import Envelope, Record
from streamapp.runtime.batch import Batch
from streamapp.runtime.work import Rejected

__all__ = ["Decoded", "Decoder", "Keyed", "Undecodable"]

T = TypeVar("T")

_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
HEADERS: Final = attrgetter("headers")


class Keyed(Record, Protocol):
    """A record that can be used: it has a key, and a value unless it is a tombstone."""

    @property
    def key(self) -> bytes:
        """The key."""

    @property
    def value(self) -> Any:
        """The value, or None."""


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


class Event(Envelope):
    """A CloudEvent in structured mode, whose results are none: they say of themselves that they are JSON.

    It goes to the dead letters as it came, if its result is refused.
    """

    value: bytes | None = None
    offset: int = -1

    @classmethod
    def of(cls, record: Record) -> Event:
        """Take a record for one."""
        headers = headers_of_result(record.headers)
        return cls(record.key, record.timestamp, headers, record, value=record.value, offset=record.offset)


class Decoder(Generic[T]):
    """Decodes JSON records of one type, strictly in the fields it declares and leniently in all others.

    Args:
        type: a msgspec Struct.
        key: returns the key that a record with this value must have; an integer stands for its decimal digits.
        tombstones: whether a record without a value is good (it deletes) or is rejected.
        field: what that key is called in the value, to be named in errors.
        remedy: what helps if records have another key, or none, to be told with them.
        keys: what the keys of records are; None = text.
    """

    def __init__(
        self,
        type: type[T],  # noqa: A002
        key: Callable[[T], str | int],
        *,
        tombstones: bool = False,
        field: str = "user_id",
        remedy: str = "",
        keys: Keys | None = None,
    ) -> None:
        self._key_format = keys
        self._decode = msgspec.json.Decoder(type).decode
        self._key = key
        self._tombstones = tombstones
        self._field = field
        self._remedy = f": {remedy}" if remedy else ""

    def split(self, batch: Batch) -> tuple[Decoded, list[Rejected]]:
        """Divide a batch into the records that can be used, and those that cannot.

        A CloudEvent in structured mode stays as it came, but for its ``content-type``, which results would get.
        """
        keys, texts = self._keys(batch.records, batch.values), self._texts_known(batch.keys)
        if all(keys) and keys == texts:  # most batches are so
            return Decoded.all_of(batch), []
        good: list[Record] = []
        bad: list[Rejected] = []
        for record, key, text in zip(batch, keys, texts, strict=True):
            try:
                good.append(record if key and key == text else self._decoded_one(record))
            except Undecodable as exc:
                bad.append(Rejected(batch.tp, record, exc.reason, str(exc)))
        return Decoded(batch.tp, good, batch.work), bad

    def doubtful(self, records: Sequence[Record]) -> Collection[int]:
        """Return the numbers of the records that cannot surely be used, and are to be decoded by themselves."""
        keys = self._keys(records, [record.value for record in records])
        texts = self._texts_known([record.key for record in records])
        if all(keys) and keys == texts:
            return ()
        return [number for number, (key, text) in enumerate(zip(keys, texts, strict=True)) if not key or key != text]

    def _keys(self, records: Sequence[Record], values: Sequence[bytes | None]) -> list[bytes | None]:
        """Return the keys that records must have by their values; None = that one is to be looked at by itself.

        To look at all in one go costs half of what it does one by one.
        """
        data = self._surely_json(records, values)
        if data is None:
            return [None] * len(values)
        decode, key = self._decode, self._key
        keys: list[bytes | None] = []
        add, rest = keys.append, iter(data)
        while True:
            try:
                for value in rest:
                    add(str(key(decode(value))).encode())
            except (Undecodable, msgspec.DecodeError, RecursionError):
                add(None)  # and on with those after it
            else:
                return keys

    def _decoded_one(self, record: Record) -> Record:
        """Return a record that is good; raises Undecodable if it is not."""
        self.decode(record)
        event = record.headers and content_of(content_type(record.headers)) is Content.EVENT
        return cast(Record, Event.of(record)) if event else record

    def together(self, records: Sequence[Record]) -> list[T] | None:
        """Decode many records; None = not all can surely be used, and they are to be decoded one by one."""
        data = self._surely_json(records, [record.value for record in records])
        if data is None:
            return None
        key = self._key
        try:
            decoded = list(map(self._decode, data))
            same = self._texts([record.key for record in records]) == [str(key(one)).encode() for one in decoded]
        except (Undecodable, msgspec.DecodeError, RecursionError):
            return None
        return decoded if same else None

    def _surely_json(self, records: Sequence[Record], values: Sequence[bytes | None]) -> list[bytes] | None:
        """Return the values if each surely is JSON, in ASCII; None = they are to be looked at one by one."""
        if any(map(HEADERS, records)) and not plain(records):
            return None
        data = cast("list[bytes]", values)
        try:
            return data if all(map(bytes.isascii, data)) else None
        except TypeError:  # of what has no value; to look for it before costs more
            return None

    def _texts(self, keys: Sequence[bytes | None]) -> Sequence[bytes | None]:
        """Return the texts of keys; raises Undecodable if one has none."""
        text = None if self._key_format is None else self._key_format.text
        return keys if text is None else [None if key is None else text(key) for key in keys]

    def _texts_known(self, keys: Sequence[bytes | None]) -> Sequence[bytes | None]:
        """Return the texts of keys; None = there is no key, or it has none."""
        try:
            return self._texts(keys)
        except Undecodable:
            return [None] if len(keys) == 1 else [text for key in keys for text in self._texts_known([key])]

    def decode(self, record: Record) -> T | None:
        """Decode a record; None is a tombstone; an Undecodable if the record cannot be used."""
        if record.value is None:
            if record.key is None:
                raise Undecodable(Reason.NULL_KEY, "the record has neither a key nor a value")
            if self._tombstones:
                return None
            raise Undecodable(Reason.TOMBSTONE, "the record has no value, and this topic has no tombstones")
        if record.key is None:
            raise Undecodable(Reason.NULL_KEY, f"the record has no key{self._remedy if self._has_key(record) else ''}")
        data, value = self._value(record)
        try:
            (text,) = self._texts([record.key])
        except Undecodable as exc:
            raise Undecodable(exc.reason, f"the key {record.key!r}: {exc}{self._remedy}") from None
        if text != str(self._key(value)).encode():
            form = key_form(text, data, self._field)
            raise Undecodable(Reason.KEY_MISMATCH, f"the key {text!r} is {form.text}{self._remedy}")
        return value

    def key(self, record: Record) -> bytes:
        """Return the key that a record must have by its value; an Undecodable if the record cannot be used."""
        _, value = self._value(record)
        key = self._key(value)
        return str(key).encode() if self._key_format is None else self._key_format.of(key)

    def _has_key(self, record: Record) -> bool:
        try:
            self._value(record)
        except Undecodable:
            return False
        return True

    def _value(self, record: Record) -> tuple[bytes, T]:
        """Decode the value of a record, of a CloudEvent its data; returns the JSON, too."""
        whole = record.value or b""
        media_type = content_type(record.headers)
        content = content_of(media_type)
        if content is Content.OTHER:
            raise refusal(media_type)
        try:
            data = event_data(whole) if content is Content.EVENT else whole
            value = self._decoded(data)
            if not whole.isascii():
                whole.decode()  # msgspec skips over strings that it need not give, without a look at their bytes
        except msgspec.ValidationError as exc:
            reason = Reason.MISSING_FIELD if "missing required field" in str(exc) else Reason.WRONG_TYPE
            raise Undecodable(reason, str(exc)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise Undecodable(Reason.NOT_JSON, not_json(exc, whole)) from None
        return data, value

    def _decoded(self, data: bytes) -> T:
        try:
            return self._decode(data)
        except msgspec.ValidationError as exc:
            # It may be of a field that comes again: to a JSON parser the last one counts.
            try:
                fields = _fields(data)
            except msgspec.ValidationError:
                raise exc from None
            return self._decode(msgspec.json.encode(fields))
