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
import os
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias

import msgspec

from streamapp.errors import StreamappError
from streamapp.extras import Extra, require
from streamapp.formats.avro_values import Unfit, to_avro
from streamapp.formats.format import Headers
from streamapp.formats.undecodable import Reason, Undecodable

__all__ = ["SINGLE_OBJECT", "Avro", "AvroSchema"]

#: A file (``.avsc``), or a schema as it would stand in one: as text, or as Python has it.
AvroSchema: TypeAlias = str | os.PathLike[str] | Mapping[str, Any]
#: What the single-object encoding begins with; the fingerprint follows.
SINGLE_OBJECT: Final = b"\xc3\x01"
FINGERPRINT_BYTES: Final = 8
SUFFIX: Final = ".avsc"
#: What is left of an error of fastavro.
ERROR_CHARACTERS: Final = 200

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
        return _print(self.decode(data, writer, begin))

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
            raise Undecodable(Reason.NOT_AVRO, f"it is no Avro of the schema {_name(self.parsed)}: {text}") from None
        if (left := len(data) - stream.tell()) > 0:
            error = f"it is no Avro of the schema {_name(self.parsed)}: {left} bytes are left over"
            raise Undecodable(Reason.NOT_AVRO, error)
        return value

    def bare(self, data: bytes) -> bytes:
        """Return a value that may be in the single-object encoding as data of the declared schema, without a frame.

        Raises:
            Undecodable: if it is none of a schema that is known.
        """
        if data.startswith(self.prefix):
            return data[len(self.prefix) :]
        if not data.startswith(SINGLE_OBJECT):
            return data
        found = self.from_json(self.to_json(data))
        return found[len(self.prefix) :] if self.single_object else found

    def from_json(self, data: bytes) -> bytes:
        """Return the value for JSON.

        Raises:
            Undecodable: if the schema has no place for it; names the field.
        """
        from fastavro import schemaless_writer

        stream = io.BytesIO()
        try:
            schemaless_writer(stream, self.parsed, self._to_avro(_parse(data)))
        except Unfit as exc:
            raise Undecodable(Reason.NOT_OF_SCHEMA, f"{_name(self.parsed)}: {exc}") from None
        except Exception as exc:  # such as a decimal of too many digits
            text = f"{_name(self.parsed)}: {type(exc).__name__} {exc}"[:ERROR_CHARACTERS]
            raise Undecodable(Reason.NOT_OF_SCHEMA, text) from None
        return self.prefix + stream.getvalue() if self.single_object else stream.getvalue()

    @cached_property
    def _to_avro(self) -> Any:
        return to_avro(self.parsed)


def parsed(schema: AvroSchema) -> Any:
    """Return a schema as fastavro parses it.

    Raises:
        StreamappError: if it is none; names the file.
    """
    require(Extra.AVRO)
    from fastavro.schema import load_schema, parse_schema

    path = is_file(schema)
    if path and not Path(schema).exists():  # type: ignore[arg-type]
        raise StreamappError(f"there is no file {schema}, which is to be an Avro schema")
    try:
        if path:
            return load_schema(Path(schema))  # type: ignore[arg-type]
        return parse_schema(_structure(schema) if isinstance(schema, str) else schema)  # type: ignore[arg-type]
    except Exception as exc:  # it raises what a wrong structure leads to
        what = f"the schema {schema}" if path else f"the schema {str(schema)[:60]!r}"
        text = " ".join(str(exc).split())[:ERROR_CHARACTERS]
        raise StreamappError(f"{what} is no Avro schema: {type(exc).__name__}: {text}") from None


def is_file(schema: AvroSchema) -> bool:
    """Return whether a schema is named by its file."""
    return isinstance(schema, os.PathLike) or (isinstance(schema, str) and schema.endswith(SUFFIX))


def _structure(schema: str) -> Any:
    """Return the schema that a text has: as JSON, or the name of a type."""
    text = schema.strip()
    return msgspec.json.decode(text) if text.startswith(("{", "[", '"')) else text


def fingerprint(schema: Any) -> bytes:
    """Return the fingerprint of a schema as the single-object encoding has it (CRC-64-AVRO, the lowest byte first)."""
    from fastavro.schema import fingerprint, to_parsing_canonical_form

    return bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


def _name(schema: Any) -> str:
    if isinstance(schema, dict):
        return str(schema.get("name", schema.get("type")))
    return schema if isinstance(schema, str) else "of a union"
