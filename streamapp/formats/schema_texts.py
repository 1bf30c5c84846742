"""The schema that a declared format writes with, as it is registered."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from streamapp.errors import StreamappError
from streamapp.formats.avro import Avro
from streamapp.formats.avro_schema import plain
from streamapp.formats.protobuf import Protobuf
from streamapp.formats.protobuf_names import SUFFIX, WELL_KNOWN_FILES
from streamapp.formats.registry import Schema, SchemaType

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FileDescriptor

__all__ = ["Written", "written"]

#: Gives the text that a file of Protobuf is registered with.
Text: TypeAlias = "Callable[[FileDescriptor], str]"


class Written(NamedTuple):
    """A schema, the full name of the record in it ("" = it is none), and of Protobuf which message that is."""

    schema: Schema
    record: str
    path: tuple[int, ...] | None = None


def written(format_: Avro | Protobuf) -> Written:
    """Return the schema of a format.

    Raises:
        StreamappError: if it has none that can be registered.
    """
    return _avro(format_) if isinstance(format_, Avro) else _protobuf(format_)


def _avro(format_: Avro) -> Written:
    if format_.single_object:
        raise StreamappError("single_object=True has the schema's fingerprint where a registry's id is to be: leave it")
    parsed = format_.parsed
    text = json.dumps(plain(parsed), separators=(",", ":"), ensure_ascii=False)
    return Written(Schema(SchemaType.AVRO, text), parsed.get("name", "") if isinstance(parsed, dict) else "")


def _protobuf(format_: Protobuf) -> Written:
    descriptor, source = cast("Descriptor", format_.generated.DESCRIPTOR), format_.source
    text: Text = _serialized
    if isinstance(source, str | os.PathLike) and os.fspath(source).endswith(SUFFIX):
        text = partial(_source, [Path(source).parent, *map(Path, format_.include)])
    return Written(_file(descriptor.file, text), descriptor.full_name, _path(descriptor))


def _file(file: FileDescriptor, text: Text) -> Schema:
    """Return the schema of a file, which refers to those of the files that it imports."""
    imported = [one for one in file.dependencies if not one.name.startswith(WELL_KNOWN_FILES)]
    return Schema(SchemaType.PROTOBUF, text(file), {one.name: _file(one, text) for one in imported})


def _serialized(file: FileDescriptor) -> str:
    """Return what protoc has made of a file, in base64: registries take that, too."""
    return base64.b64encode(file.serialized_pb).decode()


def _source(places: Iterable[Path], file: FileDescriptor) -> str:
    """Return the text of a file, from the first place that has it, as protoc has found it."""
    return next(path for place in places if (path := place / file.name).is_file()).read_text("utf-8")


def _path(descriptor: Descriptor) -> tuple[int, ...]:
    """Return the index of a message in its file, after those of the messages around it."""
    outer = descriptor.containing_type
    if outer is None:
        return ([*descriptor.file.message_types_by_name].index(descriptor.name),)
    return (*_path(outer), [one.name for one in outer.nested_types].index(descriptor.name))
