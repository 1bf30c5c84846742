"""Fields of records' values: all that aggregates take of a record, at once, and none that they cannot use."""

from __future__ import annotations

import operator
import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Optional, TypeAlias, Union, get_args, get_origin

import msgspec

from streamapp.formats.content import json_of, plain
from streamapp.formats.fields import missing, shown
from streamapp.formats.undecodable import Undecodable
from streamapp.formats.value_forms import not_json
from streamapp.joins import Record, Refused
from streamapp.windows.aggregate import ANYTHING, Aggregate, Form, Held, Value, picked

__all__ = ["CheckedFields", "Fields", "JsonFields", "fields_for"]

#: Returns for a record the values that aggregates take, in their order; raises `Refused` for one that has them not.
Fields: TypeAlias = Callable[[Record], Sequence[Value]]
Object: TypeAlias = Mapping[str, msgspec.Raw]
#: Names of fields with the types of their values, or for an object with its fields.
Tree: TypeAlias = dict[str, Value]

_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
NUMBER_IN_QUOTES: Final = re.compile(rb'"-?[0-9.]+"')
UNREADABLE: Final = (Undecodable, msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class JsonFields:
    """Returns what aggregates take of a record: the value of the field of each, None if that is null.

    A record's value is a JSON object, or a CloudEvent with one in it. The field ``order.amount`` is that of an object
    in it, and null if that object is.

    Args:
        aggregates: in the order in which their values are returned.

    Raises:
        ValueError: if aggregates cannot take values of one field together.
        Refused: when called, for a value that is no JSON object (cause ``not_json``), without one of the fields
            (``missing_field``), or with another value in it than the aggregates can use (``wrong_type``).
    """

    def __init__(self, aggregates: Iterable[Aggregate[Held]]) -> None:
        self._aggregates = tuple(aggregates)
        tree = _tree(self._aggregates)
        self._paths = [_path(tree, aggregate.field) for aggregate in self._aggregates]
        self._decode = msgspec.json.Decoder(_struct(tree)).decode
        values = operator.attrgetter(*self._paths)
        self._fields = [operator.attrgetter(self._paths[slot]) for slot in picked(self._aggregates).values()]
        self._values: Callable[[Value], tuple[Value, ...]]
        self._values = values if len(self._paths) > 1 else lambda decoded: (values(decoded),)

    def __call__(self, record: Record) -> tuple[Value, ...]:
        """Return what the aggregates take of a record."""
        try:
            decoded = self._decode(json_of(record))
        except UNREADABLE as exc:
            raise self._refusal(record, exc) from None
        try:
            return self._values(decoded)
        except AttributeError:  # of None: an object is null
            return tuple([_reach(decoded, path) for path in self._paths])

    def columns(self, records: Sequence[Record]) -> Sequence[Sequence[Value]] | None:
        """Return the values of each field that they take of many records; None if one is refused, or unusual."""
        values = [record.value or b"" for record in records]
        if not plain(records) or not all(map(bytes.isascii, values)):
            return _columns(self, records, self._aggregates)
        try:
            decoded = list(map(self._decode, values))
            return [list(map(value, decoded)) for value in self._fields]
        except (*UNREADABLE, AttributeError):
            return None

    def _refusal(self, record: Record, error: Exception) -> Refused:
        """Return what is wrong with a record."""
        try:
            fields = _object(json_of(record))
            for aggregate in self._aggregates:
                if aggregate.field is not None:
                    _check(aggregate, aggregate.field, fields)
        except Refused as refused:
            return refused
        except Undecodable as exc:
            return Refused(str(exc), exc.reason)
        except UNREADABLE as exc:
            return Refused(not_json(exc, record.value or b""), "not_json")
        return Refused(str(error), "wrong_type")  # such as a name that is there twice


class CheckedFields:
    """Returns what a function takes of a record for aggregates, if it is what they can use.

    Args:
        aggregates: in the order in which the function returns their values.
        take: returns these values for a record, or raises `Refused`.

    Raises:
        Refused: when called, for values that the aggregates cannot use (cause ``wrong_type``).
        ValueError: when called, if there are not as many values as aggregates.
    """

    def __init__(self, aggregates: Iterable[Aggregate[Held]], take: Fields) -> None:
        self._aggregates, self._take = tuple(aggregates), take
        self._type: Form = msgspec.defstruct(
            "Values",
            [(f"_{n}", _takes(aggregate)) for n, aggregate in enumerate(self._aggregates)],
            array_like=True,
            forbid_unknown_fields=True,
        )

    def __call__(self, record: Record) -> Sequence[Value]:
        """Return what the aggregates take of a record."""
        values = self._take(record)
        try:
            msgspec.convert(values, self._type)
        except msgspec.ValidationError:
            if len(values) != len(self._aggregates):
                raise ValueError(f"{len(values)} values for {len(self._aggregates)} aggregates") from None
            for aggregate, value in zip(self._aggregates, values, strict=True):
                try:
                    msgspec.convert(value, _takes(aggregate))
                except msgspec.ValidationError as exc:
                    raise Refused(f"{aggregate} does not take {value!r}: {_lower(exc)}", "wrong_type") from None
            raise
        return values

    def columns(self, records: Sequence[Record]) -> Sequence[Sequence[Value]] | None:
        """Return the values of each field that they take of many records; None if one is refused."""
        return _columns(self, records, self._aggregates)


def _columns(
    take: Fields, records: Sequence[Record], aggregates: Sequence[Aggregate[Held]]
) -> Sequence[Sequence[Value]] | None:
    if any(record.value is None for record in records):
        return None
    try:
        rows = [take(record) for record in records]
    except Refused:
        return None
    return [[row[slot] for row in rows] for slot in picked(aggregates).values()]


def fields_for(aggregates: Iterable[Aggregate[Held]], take: Fields | None) -> JsonFields | CheckedFields:
    """Return what takes the values of aggregates of a record: of the JSON that its value is, or by a function.

    Raises:
        ValueError: if aggregates cannot take values of one field together.
    """
    if take is None:
        return JsonFields(aggregates)
    return take if isinstance(take, JsonFields) else CheckedFields(aggregates, take)


def _tree(aggregates: Iterable[Aggregate[Held]]) -> Tree:
    """Return the fields that aggregates take."""
    tree: Tree = {}
    for aggregate in aggregates:
        if aggregate.field is None:
            continue
        *objects, name = aggregate.field.split(".")
        fields: Form = tree
        for outer in objects:
            fields = fields.setdefault(outer, {})
            if not isinstance(fields, dict):
                raise ValueError(f"{aggregate}: {outer} cannot be an object, and a value for another aggregate")  # noqa: TRY004
        fields[name] = _both(fields.get(name, ANYTHING), aggregate)
    return tree


def _struct(tree: Tree) -> Form:
    """Return what fields are decoded to."""
    types_ = [Optional[_struct(kind) if isinstance(kind, dict) else kind] for kind in tree.values()]  # noqa: UP045
    attributes = [f"field_{n}" for n in range(len(tree))]
    return msgspec.defstruct(
        "Fields",
        list(zip(attributes, types_, strict=True)),
        rename=dict(zip(attributes, tree, strict=True)),
        namespace={"nothing": None},
        frozen=True,
        gc=False,
    )


def _path(tree: Form, field: str | None) -> str:
    """Return where a field is in what is decoded, as attributes of attributes."""
    if field is None:
        return "nothing"
    path = []
    for name in field.split("."):
        path.append(f"field_{list(tree).index(name)}")
        tree = tree[name]
    return ".".join(path)


def _takes(aggregate: Aggregate[Held]) -> Form:
    """Return the type of what an aggregate can use, null too."""
    return Optional[aggregate.takes]  # noqa: UP045


def _both(known: Form, aggregate: Aggregate[Held]) -> Form:
    """Return the type of what other aggregates take of a field, and this one, too."""
    if known is ANYTHING or known == aggregate.takes:
        return aggregate.takes
    if aggregate.takes is ANYTHING:
        return known
    both = [kind for kind in _members(known) if kind in _members(aggregate.takes)]
    if not both:
        raise ValueError(
            f"{aggregate}: another aggregate takes other values of {aggregate.field}, none can be for both"
        )
    return Union[*both]


def _members(kind: Form) -> Sequence[Form]:
    return get_args(kind) if get_origin(kind) in {Union, types.UnionType} else (kind,)


def _reach(decoded: Value, path: str) -> Value:
    for attribute in path.split("."):
        decoded = getattr(decoded, attribute, None)
    return decoded


def _check(aggregate: Aggregate[Held], field: str, fields: Object) -> None:
    """Check that a value's fields have what an aggregate takes, or raise a `Refused` that says what is there."""
    *objects, name = field.split(".")
    of = ""
    for outer in objects:
        inner = _found(outer, fields, of)
        if bytes(inner) == b"null":
            return
        try:
            fields = _object(inner)
        except UNREADABLE:
            raise Refused(f"the field {of}{outer} is {shown(inner)}, and has no fields", "wrong_type") from None
        of += f"{outer}."
    value = _found(name, fields, of)
    try:
        msgspec.json.decode(value, type=_takes(aggregate))
    except msgspec.DecodeError as exc:
        quoted = "; a number has no quotes" if NUMBER_IN_QUOTES.fullmatch(value) else ""
        text = f"the field {field} is {shown(value)}, which {aggregate} does not take: {_lower(exc)}{quoted}"
        raise Refused(text, "wrong_type") from None


def _found(name: str, fields: Object, of: str) -> msgspec.Raw:
    if (value := fields.get(name)) is not None:
        return value
    inside = next((outer for outer, value in fields.items() if name in _fields_of(value)), None)
    text = missing(name, fields, of)
    raise Refused(f"{text}; {of}{inside}.{name} is there" if inside else text, "missing_field")


def _fields_of(value: msgspec.Raw) -> Object:
    try:
        return _object(value)
    except UNREADABLE:
        return {}


def _lower(error: Exception) -> str:
    text = str(error).replace("`", "")
    return text[:1].lower() + text[1:]
