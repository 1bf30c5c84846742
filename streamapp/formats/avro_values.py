"""What fastavro writes, made of JSON by a schema: its type says what a text or a number stands for."""

from __future__ import annotations

import base64
import binascii
import datetime
import math
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

import msgspec

from streamapp.formats.non_finite import NUMBERS

__all__ = ["PRIMITIVES", "Unfit", "to_avro"]

Value: TypeAlias = Any
Convert: TypeAlias = Callable[[Value], Value]

INT_BITS: Final = 31
LONG_BITS: Final = 63
#: Characters of a value that an error shows.
SHOWN: Final = 60

MOMENT: Final = "a time as in 2026-01-31T12:00:00Z"
#: What text becomes for logical types, and what it should be.
LOGICAL: Final[Mapping[str, tuple[type, str]]] = {
    "date": (datetime.date, "a date as in 2026-01-31"),
    "time-millis": (datetime.time, "a time as in 12:00:00"),
    "time-micros": (datetime.time, "a time as in 12:00:00"),
    "timestamp-millis": (datetime.datetime, MOMENT),
    "timestamp-micros": (datetime.datetime, MOMENT),
    "local-timestamp-millis": (datetime.datetime, "a time as in 2026-01-31T12:00:00"),
    "local-timestamp-micros": (datetime.datetime, "a time as in 2026-01-31T12:00:00"),
    "uuid": (uuid.UUID, "a UUID"),
}


class Unfit(ValueError):
    """JSON for which a schema has no place; the text names the field."""


def to_avro(schema: Value) -> Convert:
    """Return what makes of decoded JSON what fastavro writes for a schema that it has parsed.

    Raises:
        Unfit: when called, for JSON that is not of the schema.
    """
    return _Schema({}).convert(schema)


class _Schema:
    """Makes functions of types; those that have a name may be used before they are complete, by themselves."""

    def __init__(self, named: dict[str, Convert]) -> None:
        self._named = named

    def convert(self, schema: Value) -> Convert:
        if isinstance(schema, list):
            return self._union(schema)
        if isinstance(schema, str):
            return PRIMITIVES[schema] if schema in PRIMITIVES else lambda value: self._named[schema](value)
        kind = schema["type"]
        logical = schema.get("logicalType")
        if logical == "decimal":
            return _decimal
        if logical in LOGICAL and kind in {"int", "long", "string", "fixed"}:
            return _moment(*LOGICAL[logical], _integer(LONG_BITS) if kind in {"int", "long"} else None)
        match kind:
            case "record" | "error":
                return self._record(schema)
            case "enum":
                return self._name(schema, _enum(frozenset(schema["symbols"])))
            case "fixed":
                return self._name(schema, _fixed(schema["size"]))
            case "array":
                return _array(self.convert(schema["items"]))
            case "map":
                return _map(self.convert(schema["values"]))
            case _:
                return self.convert(kind)

    def _name(self, schema: Mapping[str, Value], convert: Convert) -> Convert:
        self._named[schema["name"]] = convert
        return convert

    def _record(self, schema: Mapping[str, Value]) -> Convert:
        fields: dict[str, Convert] = {}
        optional: set[str] = set()

        def record(value: Value) -> Value:
            if not isinstance(value, dict):
                raise _unfit(value, f"an object ({schema['name']})")
            made = {}
            for name, given in value.items():
                if name not in fields:
                    raise Unfit(f"the schema has no field {name}")
                try:
                    made[name] = fields[name](given)
                except Unfit as exc:
                    raise Unfit(f"{name}: {exc}") from None
            for name in fields.keys() - made.keys() - optional:
                raise Unfit(f"the field {name} is missing, and has no default")
            return made

        self._name(schema, record)
        for field in schema["fields"]:
            fields[field["name"]] = self.convert(field["type"])
            kinds = field["type"] if isinstance(field["type"], list) else [field["type"]]
            if "default" in field or "null" in kinds:
                optional.add(field["name"])
        return record

    def _union(self, schema: list[Value]) -> Convert:
        branches = [(kind, self.convert(kind)) for kind in schema if kind != "null"]
        of_text = sorted(branches, key=lambda branch: branch[0] in ("float", "double"))  # "NaN" is a text before all
        nullable = "null" in schema

        def union(value: Value) -> Value:
            if value is None and nullable:
                return None
            found = None
            for kind, convert in of_text if isinstance(value, str) else branches:
                try:
                    made = convert(value)
                except Unfit as exc:
                    found = found or exc
                else:
                    # Of records fastavro would have to guess which it is.
                    named = isinstance(kind, dict) and kind["type"] == "record" and len(branches) > 1
                    return (kind["name"], made) if named else made
            raise found if found is not None and len(branches) == 1 else _unfit(value, "of any type of the union")

        return union


def _unfit(value: Value, expected: str) -> Unfit:
    text = repr(value) if isinstance(value, str) else str(value)
    return Unfit(f"{text if len(text) <= SHOWN else f'{text[:SHOWN]}…'} is not {expected}")


def _null(value: Value) -> None:
    if value is not None:
        raise _unfit(value, "null")


def _boolean(value: Value) -> bool:
    if not isinstance(value, bool):
        raise _unfit(value, "true or false")
    return value


def _integer(bits: int) -> Callable[[Value], int]:
    def integer(value: Value) -> int:
        whole = isinstance(value, int) or (isinstance(value, Decimal) and value == value.to_integral_value())
        if isinstance(value, bool) or not whole or not -(1 << bits) <= value < 1 << bits:
            raise _unfit(value, f"a whole number of {bits + 1} bits")
        return int(value)

    return integer


def _float(value: Value) -> float:
    if isinstance(value, str) and value in NUMBERS:
        return NUMBERS[value]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _unfit(value, "a number")
    try:
        made = float(value)
    except OverflowError:  # of an integer; a decimal becomes infinite
        made = math.inf
    if math.isinf(made):
        raise _unfit(value, "a number of 64 bits")
    return made


def _decimal(value: Value) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _unfit(value, "a number")
    return Decimal(value)


def _string(value: Value) -> str:
    if not isinstance(value, str):
        raise _unfit(value, "text")
    return value


def _bytes(value: Value) -> bytes:
    try:
        return base64.b64decode(_string(value), validate=True)
    except (binascii.Error, ValueError):
        raise _unfit(value, "bytes in base64") from None


def _fixed(size: int) -> Callable[[Value], bytes]:
    def fixed(value: Value) -> bytes:
        found = _bytes(value)
        if len(found) != size:
            raise _unfit(value, f"{size} bytes in base64")
        return found

    return fixed


def _enum(symbols: frozenset[str]) -> Callable[[Value], str]:
    def enum(value: Value) -> str:
        if value not in symbols:
            raise _unfit(value, f"one of {', '.join(sorted(symbols))}")
        return str(value)

    return enum


def _array(convert: Convert) -> Convert:
    def array(value: Value) -> Value:
        if not isinstance(value, list):
            raise _unfit(value, "a list")
        return [convert(one) for one in value]

    return array


def _map(convert: Convert) -> Convert:
    def map_(value: Value) -> Value:
        if not isinstance(value, dict):
            raise _unfit(value, "an object")
        return {name: convert(one) for name, one in value.items()}

    return map_


def _moment(type_: type, expected: str, number: Callable[[Value], int] | None) -> Convert:
    """Return what takes text of a type, or the number that stands for it."""

    def moment(value: Value) -> Value:
        if number is not None and not isinstance(value, str):
            return number(value)
        try:
            return msgspec.convert(value, type_)
        except msgspec.ValidationError:
            raise _unfit(value, expected) from None

    return moment


PRIMITIVES: Final[Mapping[str, Convert]] = {
    "null": _null,
    "boolean": _boolean,
    "int": _integer(INT_BITS),
    "long": _integer(LONG_BITS),
    "float": _float,
    "double": _float,
    "string": _string,
    "bytes": _bytes,
}
