"""A format: what the bytes of the values, or of the keys, of a topic are.

Within the app a value is JSON, and a key the text of what it is. A format stands where a topic is read or written, and
makes JSON of bytes, and bytes of JSON.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import ClassVar, Protocol, runtime_checkable

import msgspec

from streamapp.errors import StreamappError
from streamapp.formats.undecodable import Reason, Undecodable

__all__ = ["Format", "FormatDeclaration", "Headers", "Json", "SchemaUnavailableError"]

#: Of a record, in their order.
Headers = Sequence[tuple[str, bytes]]


class SchemaUnavailableError(StreamappError):
    """A schema cannot be had now, and may be had later; the record is as good as any, and is read again."""


@runtime_checkable
class FormatDeclaration(Protocol):
    """What a topic declares that its values, or its keys, are: such as ``Avro("order.avsc")``; it knows of no topic."""

    @property
    def name(self) -> str:
        """What settings and messages call it: json, avro, protobuf, msgpack, raw or registry."""

    def bound(self, topic: str, *, key: bool = False) -> Format:
        """Return the format for a topic (its full name), for its keys or its values; called once, before the start.

        Raises:
            StreamappError: if there can be none: a schema is missing, or does not fit.
        """


@runtime_checkable
class Format(FormatDeclaration, Protocol):
    """What the bytes of values, or of keys, are; declared for a topic, it is its own, or `bound` gives that."""

    @property
    def headers(self) -> Headers:
        """Headers that a record needs beside what `from_json` makes, such as the id of a schema; most need none."""

    def to_json(self, data: bytes, headers: Iterable[tuple[str, bytes | None]] = ()) -> bytes:
        """Return the JSON of bytes that were read, with the headers of their record.

        Raises:
            Undecodable: if they are not what they should be; its text names the schema's id, if there is one.
            SchemaUnavailableError: if nobody can tell now.
        """

    def from_json(self, data: bytes) -> bytes:
        """Return the bytes to write for JSON.

        Raises:
            Undecodable: if the schema has no place for it.
        """


@dataclasses.dataclass(frozen=True)
class Json:
    """JSON in UTF-8."""

    name: ClassVar[str] = "json"
    headers: ClassVar[Headers] = ()

    def bound(self, topic: str, *, key: bool = False) -> Json:
        """Return this format: it is the same for all topics."""
        return self

    def to_json(self, data: bytes, headers: Iterable[tuple[str, bytes | None]] = ()) -> bytes:
        """Return the bytes, if they are JSON.

        Raises:
            Undecodable: if not.
        """
        try:
            msgspec.json.decode(data, type=msgspec.Raw)
            data.decode()  # msgspec skips over strings without a look at their bytes
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise Undecodable(Reason.NOT_JSON, str(exc)) from None
        return data

    def from_json(self, data: bytes) -> bytes:
        """Return the bytes as they are."""
        return data
