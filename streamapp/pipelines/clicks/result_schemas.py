"""The schemas of results and of unmatched clicks, made of those of clicks and profiles, for whoever reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from streamapp.errors import StreamappError
from streamapp.formats.avro import Avro
from streamapp.formats.avro_schema import named, plain
from streamapp.formats.format import Format
from streamapp.formats.protobuf import Protobuf
from streamapp.pipelines.clicks.demo_schemas import DEMO_PROTO

if TYPE_CHECKING:
    from google.protobuf.descriptor import FileDescriptor
    from google.protobuf.descriptor_pb2 import DescriptorProto

__all__ = ["ResultSchemas", "result_schemas"]

NAMESPACE: Final = "streamapp.clicks"
#: Of types of profiles whose names clicks have for others.
PROFILE: Final = "profile"
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
    of_click = plain(click.parsed)
    of_profile = _Apart(named(of_click)).schema(plain(profile.parsed))
    return ResultSchemas(
        _record("Joined", click=of_click, profile=["null", of_profile], join_timestamp="double"),
        _record("Unmatched", click=of_click, reason="string"),
    )


def _record(name: str, **fields: Any) -> Avro:
    types = [{"name": field, "type": type_} for field, type_ in fields.items()]
    return Avro({"type": "record", "name": name, "namespace": NAMESPACE, "fields": types})


class _Apart:
    """Makes of a schema of Avro one that may stand behind another: each name is defined once.

    A type that is the same one there is named by it; one that has the name of another gets the namespace ``profile``.
    """

    def __init__(self, before: Mapping[str, Any]) -> None:
        self._before = before
        #: What types are called that had another name.
        self._names: dict[str, str] = {}

    def schema(self, schema: Any) -> Any:
        """Return it."""
        if isinstance(schema, str):
            return self._names.get(schema, schema)
        if isinstance(schema, list):
            return [self.schema(one) for one in schema]
        made = {**schema}
        if (name := schema.get("name")) is not None and name in self._before:
            if self._before[name] == schema and not self._names:  # else it may be made of one that has another name
                return name
            made["name"] = self._names[name] = f"{PROFILE}.{name.rpartition('.')[2]}"
        for part in ("items", "values", "type"):
            if part in schema and (part != "type" or not isinstance(schema["type"], str)):
                made[part] = self.schema(schema[part])
        if "fields" in schema:
            made["fields"] = [{**field, "type": self.schema(field["type"])} for field in schema["fields"]]
        return made


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
