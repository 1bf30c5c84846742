"""The Protobuf messages of what the click join writes, made of those of both sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from streamapp.formats.protobuf import Protobuf

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FileDescriptor
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

__all__ = ["joined", "text", "unmatched"]

#: Of fields by their names, in the order of their numbers: messages, and the names of other types.
Types: TypeAlias = Mapping[str, "Descriptor | str"]


def joined(click: Protobuf, profile: Protobuf) -> Protobuf:
    """Return the format of joined clicks, by those of clicks and profiles."""
    return _message("Joined", {"click": _of(click), "profile": _of(profile), "join_timestamp": "double"})


def unmatched(click: Protobuf) -> Protobuf:
    """Return the format of clicks that are not matched."""
    return _message("Unmatched", {"click": _of(click), "reason": "string"})


def text(format_: Protobuf) -> str:
    """Return the ``.proto`` file of such a message."""
    descriptor = _of(format_)
    imports = [f'import "{file.name}";' for file in descriptor.file.dependencies]
    fields = [
        f"  {_kind(field.type) if field.message_type is None else f'.{field.message_type.full_name}'} {field.name} "
        f"= {field.number};"
        for field in descriptor.fields
    ]
    lines = ['syntax = "proto3";', "", *imports, "", f"message {descriptor.name} {{", *fields, "}"]
    return "\n".join(lines)


def _of(format_: Protobuf) -> Descriptor:
    return cast("Descriptor", format_.generated.DESCRIPTOR)


def _kind(number: int) -> str:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto

    return FieldDescriptorProto.Type.Name(cast(Any, number)).removeprefix("TYPE_").lower()


def _message(name: str, types: Types) -> Protobuf:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.message_factory import GetMessageClass

    from streamapp.formats.protobuf_file import pooled

    files: dict[str, bytes] = {}
    for descriptor in types.values():
        if not isinstance(descriptor, str):
            files |= {file.name: file.serialized_pb for file in _with_imports(descriptor.file)}
    made = FileDescriptorProto(name=f"streamapp {name.lower()}.proto", syntax="proto3")
    _add(made, name, types)
    file = pooled([*files.values(), made.SerializeToString()])
    return Protobuf(GetMessageClass(file.message_types_by_name[name]))


def _with_imports(file: FileDescriptor) -> Iterator[FileDescriptor]:
    """Yield a file, after those that it imports."""
    for imported in file.dependencies:
        yield from _with_imports(imported)
    yield file


def _add(file: FileDescriptorProto, name: str, types: Types) -> None:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto

    message = file.message_type.add(name=name)
    for number, (field, type_) in enumerate(types.items(), 1):
        made = message.field.add(name=field, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
        if isinstance(type_, str):
            made.type = FieldDescriptorProto.Type.Value(f"TYPE_{type_.upper()}")
            continue
        made.type, made.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{type_.full_name}"
        if type_.file.name not in file.dependency:
            file.dependency.append(type_.file.name)
