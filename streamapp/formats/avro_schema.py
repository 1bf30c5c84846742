"""Schemas of Avro: read, named by their fingerprints, and gone through."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from streamapp.errors import StreamappError
from streamapp.extras import Extra, require

__all__ = [
    "ERROR_CHARACTERS",
    "SUFFIX",
    "AvroSchema",
    "fingerprint",
    "name_of",
    "named",
    "parsed",
    "plain",
    "structure",
    "types",
]

#: A file (``.avsc``), or a schema as it would stand in one: as text, or as Python has it.
AvroSchema: TypeAlias = str | os.PathLike[str] | Mapping[str, Any]
SUFFIX: Final = ".avsc"
#: What fastavro adds to a schema that it has parsed.
OWN: Final = ("__fastavro_parsed", "__named_schemas")
#: What is left of an error of fastavro.
ERROR_CHARACTERS: Final = 200


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
        return parse_schema(structure(schema) if isinstance(schema, str) else schema)  # type: ignore[arg-type]
    except Exception as exc:  # it raises what a wrong structure leads to
        what = f"the schema {schema}" if path else f"the schema {str(schema)[:60]!r}"
        text = " ".join(str(exc).split())[:ERROR_CHARACTERS]
        raise StreamappError(f"{what} is no Avro schema: {type(exc).__name__}: {text}") from None


def is_file(schema: AvroSchema) -> bool:
    """Return whether a schema is named by its file."""
    return isinstance(schema, os.PathLike) or (isinstance(schema, str) and schema.endswith(SUFFIX))


def structure(schema: str) -> Any:
    """Return a schema as Python has it: of its JSON, or of the bare name that some registries have for one type."""
    text = schema.strip()
    return msgspec.json.decode(text) if text.startswith(("{", "[", '"')) else text


def plain(schema: Any) -> Any:
    """Return a schema of Avro that fastavro has parsed, without what it has added."""
    if isinstance(schema, dict):
        return {name: plain(value) for name, value in schema.items() if name not in OWN}
    return [plain(one) for one in schema] if isinstance(schema, list) else schema


def fingerprint(schema: Any) -> bytes:
    """Return the fingerprint of a schema as the single-object encoding has it (CRC-64-AVRO, the lowest byte first)."""
    from fastavro.schema import fingerprint, to_parsing_canonical_form

    return bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


def types(schema: Any) -> Iterator[Any]:
    """Yield a schema that fastavro has parsed, and all that it is made of; of types with names it may be the name."""
    yield schema
    if isinstance(schema, list):
        for one in schema:
            yield from types(one)
    elif isinstance(schema, dict):
        for field in schema.get("fields", ()):
            yield from types(field["type"])
        for part in ("items", "values", "type"):
            if part in schema:
                yield from types(schema[part])


def named(schema: Any) -> dict[str, Any]:
    """Return the types of a schema that have names, by these."""
    return {one["name"]: one for one in types(schema) if isinstance(one, dict) and "name" in one}


def name_of(schema: Any) -> str:
    """Return what messages call a schema."""
    if isinstance(schema, dict):
        return str(schema.get("name", schema.get("type")))
    return schema if isinstance(schema, str) else "of a union"
