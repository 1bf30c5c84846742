"""Plain values, as JSON has them, of Protobuf's messages: made by functions that are put together once a message type.

`google.protobuf.json_format` does the same, more slowly, and makes text of whole numbers of 64 bits, which cannot be
summed up; of well-known types it makes what is made here, too.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict

__all__ = ["Convert", "to_plain"]

Value: TypeAlias = Any
Convert: TypeAlias = Callable[[Value], Value]

WELL_KNOWN: Final = "google.protobuf."
#: Messages around a value, which is what they are in JSON.
WRAPPERS: Final = frozenset(
    f"{WELL_KNOWN}{kind}Value"
    for kind in ("Bool", "Bytes", "Double", "Float", "Int32", "Int64", "String", "UInt32", "UInt64")
)
#: Well-known types that Protobuf's JSON has another form for than for messages.
SPECIAL: Final = frozenset(
    f"{WELL_KNOWN}{kind}" for kind in ("Any", "Duration", "FieldMask", "ListValue", "Struct", "Timestamp", "Value")
)


def to_plain(descriptor: Descriptor) -> Convert:
    """Return what makes a plain value of a message of a type.

    Raises:
        ValueError: when called, for a well-known type that has no JSON, such as a time of the year 10000.
    """
    return _message(descriptor, {})


def _message(descriptor: Descriptor, known: dict[str, Convert]) -> Convert:
    name = descriptor.full_name
    if name in WRAPPERS:
        value = _scalar(descriptor.fields_by_name["value"])
        return lambda message: value(message.value)
    if name in SPECIAL:
        pool = descriptor.file.pool
        return lambda message: MessageToDict(message, descriptor_pool=pool)
    fields: list[tuple[str, bool, bool, Convert]] = []

    def plain(message: Value) -> Value:
        made = {}
        for field, presence, member, convert in fields:
            if not presence or message.HasField(field):
                made[field] = convert(getattr(message, field))
            elif not member:
                made[field] = None
        return made

    known[name] = plain  # a message may have fields of its own type
    for field in descriptor.fields:
        oneof = field.containing_oneof
        # An optional field of proto3 is in a oneof of its own, which is not in the file.
        member = oneof is not None and not (len(oneof.fields) == 1 and oneof.name == f"_{field.name}")
        fields.append((field.name, field.has_presence, member, _field(field, known)))
    return plain


def _field(field: FieldDescriptor, known: dict[str, Convert]) -> Convert:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, of = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        text, value = _key(key), _one(of, known)
        return lambda entries: {text(name): value(entries[name]) for name in entries}
    one = _one(field, known)
    if field.is_repeated:
        return lambda values: [one(value) for value in values]
    return one


def _one(field: FieldDescriptor, known: dict[str, Convert]) -> Convert:
    if field.message_type is None:
        return _scalar(field)
    return known.get(field.message_type.full_name) or _message(field.message_type, known)


def _scalar(field: FieldDescriptor) -> Convert:
    if field.enum_type is not None:
        names: Mapping[int, str] = {number: value.name for number, value in field.enum_type.values_by_number.items()}
        return lambda number: names.get(number, number)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda value: base64.b64encode(value).decode()
    if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT:
        # The shortest number that is the same one in 32 bits.
        return lambda value: float(f"{value:.8g}") if math.isfinite(value) else _name_of(value)
    if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
        return lambda value: value if math.isfinite(value) else _name_of(value)
    return _same


def _same(value: Value) -> Value:
    return value


def _key(field: FieldDescriptor) -> Callable[[Value], str]:
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return lambda value: "true" if value else "false"
    return str


def _name_of(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
