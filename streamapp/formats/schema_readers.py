"""What reads data by the schema of a registry that it was written with.

What another schema wrote is resolved to the declared one, as Avro and Protobuf have it; without a declared one it is
read by its own. JSON Schema says nothing of how bytes are read: they are JSON.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from streamapp.errors import StreamappError
from streamapp.extras import Extra, require
from streamapp.formats.avro import Avro
from streamapp.formats.avro_schema import plain, structure
from streamapp.formats.format import Json
from streamapp.formats.protobuf import Protobuf
from streamapp.formats.protobuf_names import WELL_KNOWN_FILES
from streamapp.formats.registry import Schema, SchemaType
from streamapp.formats.undecodable import Reason, Undecodable
from streamapp.formats.wire_format import Framed, WireError

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FileDescriptor

__all__ = ["REASONS", "Make", "Reader", "reader_of"]

#: Makes something of data that a schema wrote; raises `Undecodable` or a `WireError` if they are not what it says.
Make: TypeAlias = Callable[[Framed], bytes]


class Reader(NamedTuple):
    """What reads the data of a schema."""

    #: Makes their JSON.
    json: Make
    #: Makes them data of the declared schema; where none is declared they stay as they are.
    bare: Make


#: The name that no import has.
FILE: Final = "streamapp schema.proto"
#: What data of a schema cannot be, by what was declared.
REASONS: Final = {"avro": Reason.NOT_AVRO, "protobuf": Reason.NOT_PROTOBUF}


def reader_of(schema: Schema, declared: Avro | Protobuf | None) -> Reader:
    """Return what reads the data of a schema, as those of the declared format if there is one; takes up to a second.

    Raises:
        StreamappError: if the schema itself cannot be read.
    """
    match schema.type, declared:
        case SchemaType.AVRO, Avro() | None:
            return _avro(schema, declared)
        case SchemaType.PROTOBUF, Protobuf() | None:
            return _protobuf(schema, declared)
        case SchemaType.JSON, None:
            json = Json()
            return Reader(lambda framed: json.to_json(framed.data), _data)
        case _:
            refused = _refusing(schema.type, declared.name if declared else "")
            return Reader(refused, refused)


def _data(framed: Framed) -> bytes:
    return framed.data


def _refusing(type_: SchemaType, declared: str) -> Make:
    def refused(_: Framed) -> bytes:
        raise Undecodable(REASONS.get(declared, Reason.NOT_JSON), f"it is of {type_}, where {declared} is declared")

    return refused


def _avro(schema: Schema, declared: Avro | None) -> Reader:
    require(Extra.AVRO)
    from fastavro.schema import parse_schema

    named: dict[str, Any] = {}
    writer: Any = None
    try:
        for text in (*_texts(schema).values(), schema.text):
            writer = parse_schema(structure(text), named_schemas=named)
    except Exception as exc:  # it raises what a wrong structure leads to
        raise StreamappError(f"it is no Avro schema: {type(exc).__name__}: {exc}") from None
    if declared is None or plain(writer) == plain(declared.parsed):
        format_ = declared or Avro(writer)
        return Reader(lambda framed: format_.read(framed.data), _data)  # nothing is to be resolved

    def json(framed: Framed) -> bytes:
        return declared.read(framed.data, writer)

    return Reader(json, lambda framed: declared.bare(declared.from_json(json(framed))))


def _texts(schema: Schema) -> dict[str, str]:
    """Return the texts of those that a schema refers to, by their names, each after those that it needs itself."""
    found: dict[str, str] = {}
    for name, other in schema.references.items():
        found |= {inner: text for inner, text in _texts(other).items() if inner not in found}
        found.setdefault(name, other.text)
    return found


def _protobuf(schema: Schema, declared: Protobuf | None) -> Reader:
    file = _compiled(schema)
    formats: dict[tuple[int, ...], Protobuf] = {}

    def message(framed: Framed) -> tuple[Protobuf, bytes]:
        path, data = framed.message()
        if (format_ := formats.get(path)) is None:
            format_ = formats[path] = _message(file, path, declared)
        return format_, data

    def json(framed: Framed) -> bytes:
        format_, data = message(framed)
        return format_.to_json(data)

    return Reader(json, lambda framed: message(framed)[1])


def _compiled(schema: Schema) -> FileDescriptor:
    """Return what is in a schema: a file of Protobuf's language, or what protoc makes of one, in base64."""
    require(Extra.PROTOBUF)
    from streamapp.formats.protobuf_file import compiled_file, pooled

    # Those that come with Protobuf some clients register with the schema, and some do not.
    texts = {name: text for name, text in _texts(schema).items() if not name.startswith(WELL_KNOWN_FILES)}
    try:
        made = [base64.b64decode(text, validate=True) for text in (*texts.values(), schema.text)]
    except ValueError:  # as text of ASCII, or of other letters, is refused
        with tempfile.TemporaryDirectory() as directory:
            for name, text in {**texts, FILE: schema.text}.items():
                path = Path(directory, name)
                if not path.resolve().is_relative_to(Path(directory).resolve()):
                    raise StreamappError(f"it refers to {name}, which is no name of a file beside it") from None
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, "utf-8")
            return compiled_file(path)
    return pooled(made)


def _message(file: FileDescriptor, path: tuple[int, ...], declared: Protobuf | None) -> Protobuf:
    from google.protobuf.message_factory import GetMessageClass

    messages: Sequence[Descriptor] = [*file.message_types_by_name.values()]
    found: Descriptor | None = None
    for index in path:
        if not 0 <= index < len(messages):
            raise WireError(f"its schema has no message {list(path)}")
        found = messages[index]
        messages = found.nested_types
    assert found is not None  # noqa: S101 - a path has one index at least
    if declared is None:
        return Protobuf(GetMessageClass(found))
    wanted = declared.generated.DESCRIPTOR
    # A package may have been renamed: to the bytes it makes no difference.
    if found.name != wanted.name:
        text = f"it is a message {found.full_name}, where {wanted.full_name} is declared"
        raise Undecodable(Reason.NOT_PROTOBUF, text)
    return declared
