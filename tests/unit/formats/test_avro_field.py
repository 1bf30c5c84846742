"""One field of Avro data, read without the others: of all schemas, and of none but the bytes that are a value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamapp.formats import Avro
from streamapp.formats.avro_field import ReadField, field_reader


def schema(*fields: tuple[str, Any], name: str = "Click") -> Any:
    return {"type": "record", "name": name, "fields": [{"name": name, "type": type_} for name, type_ in fields]}


def reader(format_: Avro, field: str = "user_id", frame: bytes = b"") -> ReadField:
    found = field_reader(format_.parsed, field, frame)
    assert found is not None
    return found


def encoded(format_: Avro, value: object) -> bytes:
    return format_.from_json(json.dumps(value).encode())


def nested(kind: str, levels: int) -> tuple[Any, Any]:
    """Return a type that is so deep, and a value of it."""
    type_: Any = "long"
    value: Any = 300
    for number in range(levels):
        match kind:
            case "array":
                type_, value = {"type": "array", "items": type_}, [value]
            case "map":
                type_, value = {"type": "map", "values": type_}, {"é": value}
            case "union":
                type_, value = ["null", {"type": "array", "items": type_}], [value]
            case _:
                type_, value = schema(("of", type_), name=f"R{number}"), {"of": value}
    return type_, value


@pytest.mark.parametrize("kind", [["null", "string"], ["string", "null"], ["null", "long", "string"]])
def test_a_field_that_may_be_null_is_read_and_null_is_no_key(kind: list[str]) -> None:
    format_ = Avro(schema(("n", "int"), ("user_id", kind), ("more", "string")))
    read = reader(format_)
    assert read(encoded(format_, {"n": 1, "user_id": "u1", "more": "x"})) == "u1"
    assert read(encoded(format_, {"n": 1, "user_id": None, "more": "x"})) is None


@pytest.mark.parametrize("kind", ["array", "map", "union", "record"])
@pytest.mark.parametrize("levels", [1, 9, 60])
def test_a_schema_may_be_deep(kind: str, levels: int) -> None:
    type_, value = nested(kind, levels)
    format_ = Avro(schema(("deep", type_), ("user_id", "string")))
    data = encoded(format_, {"deep": value, "user_id": "u1"})
    read = reader(format_)
    assert read(data) == "u1"
    for wrong in (data[:-1], data + b"\0"):
        assert read(wrong) is None


def test_a_type_may_be_a_part_of_itself_and_be_used_again() -> None:
    tree = schema(("name", "string"), ("inner", {"type": "array", "items": "Tree"}), name="Tree")
    format_ = Avro(schema(("tree", tree), ("again", ["null", "Tree"]), ("user_id", "long")))
    leaf = {"name": "leaf", "inner": []}
    value = {"tree": {"name": "root", "inner": [leaf, {"name": "b", "inner": [leaf]}]}, "again": leaf, "user_id": -7}
    data = encoded(format_, value)
    assert reader(format_)(data) == -7
    assert reader(format_)(data[:-1]) is None


def test_the_size_of_the_code_does_not_double_with_each_level() -> None:
    type_: Any = "long"
    for number in range(60):
        name = f"R{number}"
        type_ = schema(("first", type_), ("second", type_ if type_ == "long" else f"R{number - 1}"), name=name)
    assert field_reader(Avro(schema(("deep", type_), ("user_id", "string"))).parsed, "user_id") is not None


def test_a_value_may_have_its_frame_or_none() -> None:
    format_ = Avro(schema(("user_id", "string")), single_object=True)
    framed = encoded(format_, {"user_id": "u1"})
    read = reader(format_, frame=format_.prefix)
    assert read(framed) == read(framed.removeprefix(format_.prefix)) == "u1"


@pytest.mark.parametrize(
    "kind",
    ["double", {"type": "string", "logicalType": "uuid"}, ["string", "bytes"], {"type": "array", "items": "int"}],
)
def test_a_field_that_is_no_plain_key_is_left_to_who_decodes_all(kind: Any) -> None:
    assert field_reader(Avro(schema(("user_id", kind))).parsed, "user_id") is None
    assert field_reader(Avro(schema(("n", kind))).parsed, "user_id") is None
