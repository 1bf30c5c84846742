"""The schemas of results and of unmatched clicks, made of those of clicks and profiles, for a schema registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from streamapp.errors import StreamappError
from streamapp.formats.avro import Avro
from streamapp.formats.avro_schema import plain
from streamapp.formats.format import Format
from streamapp.formats.protobuf import Protobuf
from streamapp.pipelines.clicks.demo_schemas import DEMO_PROTO

if TYPE_CHECKING:
    from google.protobuf.descriptor import FileDescriptor
    from google.protobuf.descriptor_pb2 import DescriptorProto

__all__ = ["ResultSchemas", "result_schemas"]

NAMESPACE: Final = "streamapp.clicks"
#: Not that of the demo's messages, which a user's own file may have been copied from.
PACKAGE: Final = "streamapp.clicks.results"
FILE: Final = "streamapp/clicks/results.proto"


class ResultSchemas(NamedTuple):
    """What results are, and unmatched clicks."""

    joined: Avro | Protobuf
    unmatched: Avro | Protobuf


def result_schemas(click: Format, profile: Format) -> ResultSchemas | None:
    """Return the schemas of results, by the formats that clicks and profiles have in them; None = they need none.

    Raises:
        StreamappError: if those of clicks and profiles do not go together.
    """
    match click, profile:
        case Avro(), Avro():
            return _avro(click, profile)
        case Protobuf(), Protobuf():
            return _protobuf(click, profile)
    return None


def _avro(click: Avro, profile: Avro) -> ResultSchemas:
    named: dict[str, Any] = {}
    of_click = _once(plain(click.parsed), named)
    unmatched = Avro(_record("Unmatched", click=of_click, reason="string"))
    profile_or_none = ["null", _once(plain(profile.parsed), named)]
    joined = Avro(_record("Joined", click=of_click, profile=profile_or_none, join_timestamp="double"))
    return ResultSchemas(joined, unmatched)


def _record(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "record",
        "name": name,
        "namespace": NAMESPACE,
        "fields": [{"name": field, "type": type_} for field, type_ in fields.items()],
    }


def _once(schema: Any, named: dict[str, Any]) -> Any:
    """Return a schema with the names of types that were defined before, where they are defined again."""
    if isinstance(schema, list):
        return [_once(one, named) for one in schema]
    if not isinstance(schema, dict):
        return schema
    name = schema.get("name")
    if name is not None and "type" in schema and schema["type"] in {"record", "enum", "fixed", "error"}:
        if name in named:
            if named[name] != schema:
                raise StreamappError(f"the schemas of clicks and profiles both have a type {name}, and not the same")
            return name
        named[name] = schema
    return {key: value if key == "default" else _once(value, named) for key, value in schema.items()}


def _protobuf(click: Protobuf, profile: Protobuf) -> ResultSchemas:
    if click.source == profile.source == str(DEMO_PROTO):
        return ResultSchemas(Protobuf(DEMO_PROTO, "Joined"), Protobuf(DEMO_PROTO, "Unmatched"))
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.message_factory import GetMessageClass

    from streamapp.formats.protobuf_file import pooled

    imported: dict[str, bytes] = {}
    types = [format_.generated.DESCRIPTOR for format_ in (click, profile)]
    for type_ in types:
        _collect(cast("FileDescriptor", type_.file), imported)
    own = FileDescriptorProto(name=FILE, package=PACKAGE, syntax="proto3")
    own.dependency.extend(dict.fromkeys(type_.file.name for type_ in types))
    joined, unmatched = (own.message_type.add(name=name) for name in ("Joined", "Unmatched"))
    of_click, of_profile = (f".{type_.full_name}" for type_ in types)
    _add(joined, click=of_click, profile=of_profile, join_timestamp="double")
    _add(unmatched, click=of_click, reason="string")
    made = pooled([*imported.values(), own.SerializeToString()]).message_types_by_name
    return ResultSchemas(*(Protobuf(GetMessageClass(made[name])) for name in ("Joined", "Unmatched")))


def _collect(file: FileDescriptor, found: dict[str, bytes]) -> None:
    """Add a file, after those that it imports."""
    for one in file.dependencies:
        _collect(one, found)
    if found.setdefault(file.name, file.serialized_pb) != file.serialized_pb:
        raise StreamappError(f"the schemas of clicks and profiles have two files {file.name}: rename one of them")


def _add(message: DescriptorProto, **fields: str) -> None:
    """Add fields, which are numbered in their order."""
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

    kinds = {"double": Field.TYPE_DOUBLE, "string": Field.TYPE_STRING}
    for number, (name, type_) in enumerate(fields.items(), 1):
        field = message.field.add(name=name, number=number, label=Field.LABEL_OPTIONAL)
        field.type = kinds.get(type_, Field.TYPE_MESSAGE)
        if type_ not in kinds:
            field.type_name = type_
