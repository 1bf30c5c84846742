"""Avro: values by a schema that is declared, written as bare data or in the single-object encoding.

Bare data does not say which schema it was written with: it is read with the declared one, so that a schema that
changes needs values that say so. These are in the single-object encoding (Avro 1.12, "Single-object encoding"), which
has the fingerprint of the writer's schema before the data, or a schema registry's.

What is read is resolved to the declared schema, as Avro's rules of schema resolution have it: fields that were added
get their defaults, aliases are looked at, numbers are widened.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Final

import msgspec

from streamapp.errors import StreamappError
from streamapp.formats.avro_schema import ERROR_CHARACTERS, AvroSchema, fingerprint, name_of, parsed, types
from streamapp.formats.avro_values import PRIMITIVES, Unfit, to_avro
from streamapp.formats.format import Headers
from streamapp.formats.non_finite import printed
from streamapp.formats.undecodable import Reason, Undecodable

__all__ = ["SINGLE_OBJECT", "Avro", "AvroSchema"]

#: What the single-object encoding begins with; the fingerprint follows.
SINGLE_OBJECT: Final = b"\xc3\x01"
FINGERPRINT_BYTES: Final = 8
#: Values of an earlier schema that are kept as those of the declared one.
RESOLVED_VALUES: Final = 1_000

_print: Final = msgspec.json.Encoder(decimal_format="number").encode
_parse: Final = msgspec.json.Decoder(float_hook=Decimal).decode


@dataclasses.dataclass(frozen=True)
class Avro:
    """Values in Avro.

    In JSON, bytes are base64, decimals numbers, dates and times text of ISO 8601, and a union is the value in it.

    Args:
        schema: that values are written with, and read as: a file (``.avsc``; named types may be in files beside it), or
            the schema itself (``{"type": "record", …}``, ``"string"``).
        earlier: schemas that values in the single-object encoding may have been written with, besides.
        single_object: whether values are written in that encoding; read are both.
    """

    schema: AvroSchema
    earlier: tuple[AvroSchema, ...] = ()
    single_object: bool = False

    name: ClassVar[str] = "avro"
    headers: ClassVar[Headers] = ()

    def bound(self, topic: str, *, key: bool = False) -> Avro:
        """Return this format: it is the same for all topics.

        Raises:
            StreamappError: if a schema is none, or the extra is not installed.
        """
        try:
            self._known  # noqa: B018 - what is wrong with a schema is told now
        except StreamappError as exc:
            raise type(exc)(f"{topic}: {exc}") from None
        return self

    @cached_property
    def parsed(self) -> Any:
        """The schema as fastavro has parsed it."""
        return parsed(self.schema)

    @cached_property
    def _known(self) -> dict[bytes, Any]:
        """The schemas by their fingerprints."""
        every = [self.parsed, *map(parsed, self.earlier)]
        return {fingerprint(schema): schema for schema in every}

    @cached_property
    def prefix(self) -> bytes:
        """What the single-object encoding has before the data."""
        return SINGLE_OBJECT + fingerprint(self.parsed)

    def to_json(self, data: bytes, headers: Iterable[tuple[str, bytes | None]] = ()) -> bytes:
        """Return the JSON of a value.

        Raises:
            Undecodable: if it is none of the schema, or says that it is of one that is not known.
        """
        if data.startswith(SINGLE_OBJECT):
            begin = len(SINGLE_OBJECT) + FINGERPRINT_BYTES
            told = data[len(SINGLE_OBJECT) : begin]
            if (writer := self._known.get(told)) is not None:
                return self.read(data, writer, begin)
            try:
                return self.read(data)  # a value may begin so
            except Undecodable:
                error = f"the schema with the fingerprint {told[::-1].hex()} is not known: name it in earlier=(…)"
                raise Undecodable(Reason.UNKNOWN_SCHEMA, error) from None
        return self.read(data)

    def read(self, data: bytes, writer: Any = None, begin: int = 0) -> bytes:
        """Return the JSON of data, which begins somewhere and was written with a schema; None = the declared one.

        Raises:
            Undecodable: if it is none of that schema, or cannot be read as one of the declared schema.
        """
        value = self.decode(data, writer, begin)
        return printed(_print, value) if self._has_floats else _print(value)

    def decode(self, data: bytes, writer: Any = None, begin: int = 0) -> Any:
        """Return what fastavro makes of data, as `read` does of it JSON."""
        from fastavro import schemaless_reader

        stream = io.BytesIO(data)
        stream.seek(begin)
        try:
            if writer is None or writer is self.parsed:
                value = schemaless_reader(stream, self.parsed, None)
            else:
                value = schemaless_reader(stream, writer, self.parsed)
        except Exception as exc:  # of any kind: it reads what may be any bytes
            text = f"{type(exc).__name__} {exc}".strip()[:ERROR_CHARACTERS]
            raise Undecodable(Reason.NOT_AVRO, f"it is no Avro of the schema {name_of(self.parsed)}: {text}") from None
        if (left := len(data) - stream.tell()) > 0:
            error = f"it is no Avro of the schema {name_of(self.parsed)}: {left} bytes are left over"
            raise Undecodable(Reason.NOT_AVRO, error)
        return value

    def bare(self, data: bytes) -> bytes:
        """Return a value that may be in the single-object encoding as data of the declared schema, without a frame.

        Raises:
            Undecodable: if it is none of a schema that is known.
        """
        if data.startswith(self.prefix):
            return data[len(self.prefix) :]
        return self._resolved(data) if data.startswith(SINGLE_OBJECT) else data

    @cached_property
    def _resolved(self) -> Callable[[bytes], bytes]:
        """Makes data of the declared schema of values of an earlier one; a row of a table often is the same again."""
        return lru_cache(RESOLVED_VALUES)(self._resolve)

    def _resolve(self, data: bytes) -> bytes:
        begin = len(SINGLE_OBJECT) + FINGERPRINT_BYTES
        writer = self._known.get(data[len(SINGLE_OBJECT) : begin])
        if writer is None or self._has_choices:
            found = self.from_json(self.to_json(data))
            return found[len(self.prefix) :] if self.single_object else found
        return self._written(self.decode(data, writer, begin))

    def from_json(self, data: bytes) -> bytes:
        """Return the value for JSON.

        Raises:
            Undecodable: if the schema has no place for it; names the field.
        """
        try:
            value = self._to_avro(_parse(data))
        except Unfit as exc:
            raise Undecodable(Reason.NOT_OF_SCHEMA, f"{name_of(self.parsed)}: {exc}") from None
        made = self._written(value)
        return self.prefix + made if self.single_object else made

    def _written(self, value: Any) -> bytes:
        from fastavro import schemaless_writer

        stream = io.BytesIO()
        try:
            schemaless_writer(stream, self.parsed, value)
        except Exception as exc:  # such as a decimal of too many digits
            text = f"{name_of(self.parsed)}: {type(exc).__name__} {exc}"[:ERROR_CHARACTERS]
            raise Undecodable(Reason.NOT_OF_SCHEMA, text) from None
        return stream.getvalue()

    @cached_property
    def _has_floats(self) -> bool:
        """Whether there may be NaN in a value."""
        return any(one in ("float", "double") for one in types(self.parsed))

    @cached_property
    def _has_choices(self) -> bool:
        """Whether there is a union of several types with names, of which fastavro would guess which one a value is."""
        unions = (one for one in types(self.parsed) if isinstance(one, list))
        return any(sum(isinstance(one, dict) or one not in PRIMITIVES for one in union) > 1 for union in unions)

    @cached_property
    def _to_avro(self) -> Any:
        return to_avro(self.parsed)
