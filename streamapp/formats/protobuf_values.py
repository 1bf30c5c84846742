"""Plain values, as JSON has them, of Protobuf's messages: made by functions that are put together once a message type.

`google.protobuf.json_format` does the same, more slowly, and makes text of whole numbers of 64 bits, which cannot be
summed up; of well-known types it makes what is made here, too.
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict

from streamapp.formats.non_finite import name_of
from streamapp.formats.protobuf_names import WELL_KNOWN

__all__ = ["Convert", "misplaced_null", "to_plain"]

Value: TypeAlias = Any
Convert: TypeAlias = Callable[[Value], Value]

#: Messages around a value, which is what they are in JSON.
WRAPPERS: Final = frozenset(
    f"{WELL_KNOWN}{kind}Value"
    for kind in ("Bool", "Bytes", "Double", "Float", "Int32", "Int64", "String", "UInt32", "UInt64")
)
#: Well-known types that Protobuf's JSON has another form for than for messages.
SPECIAL: Final = frozenset(
    f"{WELL_KNOWN}{kind}" for kind in ("Any", "Duration", "FieldMask", "ListValue", "Struct", "Timestamp", "Value")
)


#: The enum of which the value in JSON is null.
NULL: Final = f"{WELL_KNOWN}NullValue"
#: A number of 32 bits, the largest of them, and how many digits tell it from others.
SINGLE: Final = struct.Struct("<f")
LARGEST: Final = (2 - 2**-23) * 2.0**127
DIGITS: Final = (6, 7, 8, 9)


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
        return lambda value: _shortest(value) if math.isfinite(value) else name_of(value)
    if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
        return lambda value: value if math.isfinite(value) else name_of(value)
    return _same


def _same(value: Value) -> Value:
    return value


def _key(field: FieldDescriptor) -> Callable[[Value], str]:
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return lambda value: "true" if value else "false"
    return str


def _shortest(value: float) -> float:
    """Return the number of the fewest digits that is the same one in 32 bits."""
    for digits in DIGITS:
        found = float(f"{value:.{digits}g}")
        if abs(found) <= LARGEST and SINGLE.unpack(SINGLE.pack(found))[0] == value:
            return found
    return value


def misplaced_null(descriptor: Descriptor, plain: Value) -> str:
    """Return where JSON has a null that Protobuf would make a zero or nothing of; empty = nowhere."""
    if plain is None or descriptor.full_name.startswith(WELL_KNOWN) or not isinstance(plain, dict):
        return ""
    fields = {**descriptor.fields_by_camelcase_name, **descriptor.fields_by_name}
    for name, value in plain.items():
        if (field := fields.get(name)) is not None and (found := _null_in(field, value)) is not None:
            return f"{name}.{found}" if found else name
    return ""


def _null_in(field: FieldDescriptor, value: Value) -> str | None:
    """Return where a value has such a null, "" = it is one itself; None = it has none."""
    message = field.message_type
    if value is None:
        has_place = field.has_presence or (field.enum_type is not None and field.enum_type.full_name == NULL)
        return None if has_place else ""
    if message is None:
        return None
    of: Descriptor | None = message
    parts: Iterable[tuple[object, Value]] = ((None, value),)
    if message.GetOptions().map_entry:
        of = message.fields_by_name["value"].message_type
        parts = value.items() if isinstance(value, dict) else ()
    elif field.is_repeated:
        parts = enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        if of is not None and (found := misplaced_null(of, part)):
            return found if name is None else f"{name}.{found}"
    return None
