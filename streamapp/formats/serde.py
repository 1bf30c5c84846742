"""The formats of a topic's values and keys, and its records as the app has them: with JSON values and text for keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, cast

import msgspec

from streamapp.formats.content import headers_of_result
from streamapp.formats.format import Format, FormatDeclaration, Headers, Json
from streamapp.formats.undecodable import Reason, Undecodable
from streamapp.joins import Record, Refused

__all__ = ["Read", "Serde", "Translated", "came"]

R = TypeVar("R", bound=Record)

_text = msgspec.json.Decoder(str).decode
_print = msgspec.json.Encoder().encode

#: One list for all records without headers: a new one for each would be more work for the garbage collector.
NO_HEADERS: Final[list[tuple[str, bytes]]] = []


class Translated(msgspec.Struct, gc=False):
    """A record of a topic with a format: its value is JSON, its key text, and its headers say so."""

    key: bytes | None
    value: bytes | None
    timestamp: int
    offset: int
    headers: list[tuple[str, bytes]]
    #: The record as it came, which is what goes to the dead letters.
    came: Any


def came(record: R) -> R:
    """Return a record as it came."""
    return cast(R, record.came) if isinstance(record, Translated) else record


@dataclasses.dataclass(frozen=True)
class Serde:
    """The formats of a topic (Kafka Streams' ``Serde``, of keys and values).

    Args:
        value: of the values.
        key: of the keys; None = a key is its text.
    """

    value: Format
    key: Format | None = None

    @classmethod
    def of(cls, topic: str, value: FormatDeclaration | None, key: FormatDeclaration | None = None) -> Serde | None:
        """Return the formats that are declared for a topic, by its full name; None = JSON, and text for keys.

        Raises:
            StreamappError: if they cannot be.
        """
        if value is None and key is None:
            return None
        return cls((value or Json()).bound(topic), None if key is None else key.bound(topic, key=True))

    def read(self, record: Record) -> Translated:
        """Return a record as the app has it.

        Raises:
            Undecodable: if its value or key is not what it should be.
            SchemaUnavailableError: if nobody can tell now.
        """
        came: Headers = getattr(record, "headers", ())
        value, key = record.value, record.key
        if value is not None:
            value = self.value.to_json(value, came)
        if key is not None and self.key is not None:
            key = key_text(self.key.to_json(key, came))
        headers = headers_of_result(came, key=self.key is not None) if came else NO_HEADERS
        return Translated(key, value, record.timestamp, record.offset, headers, record)

    def write(self, key: bytes | None, value: bytes | None) -> tuple[bytes | None, bytes | None, Headers]:
        """Return key and value as they are written, with headers that tell of their formats.

        Raises:
            Undecodable: if a schema has no place for them.
        """
        headers: Headers = ()
        if value is not None:
            value, headers = self.value.from_json(value), self.value.headers
        if key is None or self.key is None:
            return key, value, headers
        return written_key(self.key, key), value, (*self.key.headers, *headers)


@dataclasses.dataclass(frozen=True, eq=False)
class Read:
    """Makes of a record of a topic the one that is joined, as `Input.steps` does.

    Args:
        serde: of the topic.
        check: raises `Refused` for one that cannot be used all the same; None = all can.
    """

    serde: Serde
    check: Callable[[Record], None] | None = None

    def __call__(self, record: Record) -> Sequence[Record]:
        """Return the record with a JSON value.

        Raises:
            Refused: if it cannot be used.
        """
        return (self.one(record),)

    def one(self, record: Record) -> Translated:
        """Return it alone."""
        try:
            found = self.serde.read(record)
        except Undecodable as exc:
            raise Refused(str(exc), exc.reason) from None
        if self.check is not None:
            self.check(found)
        return found


def key_text(key: bytes) -> bytes:
    """Return the text that a key in JSON stands for: of a string that itself, of anything else its JSON."""
    try:
        return _text(key).encode()
    except msgspec.ValidationError:
        return key


def written_key(format_: Format, text: bytes) -> bytes:
    """Return the bytes of a key in a format: as a string, or if its schema has none, as the JSON that it looks like.

    Raises:
        Undecodable: if it can be neither.
    """
    try:
        decoded = text.decode()
    except UnicodeDecodeError as exc:
        raise Undecodable(Reason.NOT_OF_SCHEMA, f"the key is no text: {exc}") from None
    try:
        return format_.from_json(_print(decoded))
    except Undecodable as exc:
        try:
            msgspec.json.decode(text)
            return format_.from_json(text)
        except (Undecodable, msgspec.DecodeError, RecursionError):
            raise exc from None
