"""Avro: what is written is read, by the rules of schema resolution; what is none of the schema is told."""

from __future__ import annotations

import datetime
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastavro import parse_schema, schemaless_reader
from hypothesis import given
from hypothesis import strategies as st

from streamapp.errors import StreamappError
from streamapp.formats import Avro
from streamapp.formats.avro_field import field_reader
from streamapp.formats.undecodable import Reason, Undecodable

ADDRESS = {"type": "record", "name": "Address", "fields": [{"name": "city", "type": "string"}]}
FIELDS: list[dict[str, Any]] = [
    {"name": "tags", "type": {"type": "map", "values": {"type": "array", "items": "int"}}},
    {"name": "to", "type": ["null", ADDRESS, {"type": "array", "items": "Address"}], "default": None},
    {"name": "user_id", "type": "string"},
    {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
    {"name": "id", "type": {"type": "fixed", "name": "Id", "size": 2}},
    {"name": "share", "type": "double"},
    {"name": "good", "type": "boolean"},
]
SCHEMA = {"type": "record", "name": "Order", "fields": FIELDS}
ORDER = Avro(SCHEMA).bound("orders")
TEXT = st.text(st.characters(codec="utf-8"), max_size=5)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MOMENTS = st.integers(0, 1 << 42).map(lambda ms: EPOCH + datetime.timedelta(milliseconds=ms))
ADDRESSES = st.fixed_dictionaries({"city": TEXT})
ORDERS = st.fixed_dictionaries(
    {
        "tags": st.dictionaries(TEXT, st.lists(st.integers(-(1 << 31), (1 << 31) - 1), max_size=3), max_size=3),
        "to": st.none() | ADDRESSES | st.lists(ADDRESSES, max_size=2),
        "user_id": TEXT,
        "amount": st.decimals(-(10**9), 10**9, places=2),
        "at": MOMENTS,
        "day": st.dates(datetime.date(1970, 1, 1)),
        "kind": st.sampled_from(["A", "B"]),
        "id": st.binary(min_size=2, max_size=2),
        "share": st.floats(allow_nan=False, allow_infinity=False),
        "good": st.booleans(),
    }
)
_json = msgspec.json.Encoder(decimal_format="number").encode
read_user = field_reader(parse_schema(SCHEMA), "user_id")


def schema_of(name: str, *fields: tuple[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": name, "type": type_} for name, type_ in fields]}


def encoded(format_: Avro, **fields: Any) -> bytes:
    return format_.from_json(json.dumps(fields).encode())


def decoded(format_: Avro, data: bytes) -> Any:
    return json.loads(format_.to_json(data))


@given(ORDERS)
def test_what_is_written_is_what_fastavro_reads_and_becomes_the_same_json(order: dict[str, Any]) -> None:
    data = ORDER.from_json(_json(order))
    assert schemaless_reader(io.BytesIO(data), ORDER.parsed, None) == order
    assert json.loads(ORDER.to_json(data), parse_float=Decimal) == json.loads(_json(order), parse_float=Decimal)


@given(ORDERS)
def test_one_field_is_read_without_the_others(order: dict[str, Any]) -> None:
    assert read_user is not None
    assert read_user(ORDER.from_json(_json(order))) == order["user_id"]


@given(ORDERS, st.data())
def test_a_value_that_is_cut_short_or_too_long_is_told(order: dict[str, Any], data: st.DataObject) -> None:
    value = ORDER.from_json(_json(order))
    for wrong in (value[: data.draw(st.integers(0, len(value) - 1))], value + b"\0"):
        with pytest.raises(Undecodable) as error:
            ORDER.to_json(wrong)
        assert error.value.reason is Reason.NOT_AVRO
        assert read_user is not None
        assert read_user(wrong) is None


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_undecodable_and_the_key_is_read_of_no_others(data: bytes) -> None:
    assert read_user is not None
    try:
        value = decoded(ORDER, data)
    except Undecodable:
        return
    assert read_user(data) in (None, value["user_id"])


def test_fields_that_were_added_removed_renamed_and_widened_are_read_as_the_declared_schema_has_them() -> None:
    old = {
        "type": "record",
        "name": "Order",
        "fields": [
            {"name": "customer", "type": "string"},
            {"name": "n", "type": "int"},
            {"name": "gone", "type": "string"},
        ],
    }
    new = Avro(
        {
            "type": "record",
            "name": "Order",
            "fields": [
                {"name": "client", "type": "string", "aliases": ["customer"]},
                {"name": "n", "type": "double"},
                {"name": "added", "type": "string", "default": "?"},
            ],
        },
        earlier=(old,),
    )
    data = encoded(Avro(old, single_object=True), customer="ann", n=3, gone="x")
    assert decoded(new, data) == {"client": "ann", "n": 3.0, "added": "?"}
    assert new.bare(data) == encoded(new, client="ann", n=3, added="?")


def test_what_is_read_of_an_earlier_schema_is_what_its_json_is_of_the_declared_one() -> None:
    kinds = ["null", ADDRESS, schema_of("Place", ("city", "string"), ("at", "double"))]
    old = schema_of("Order", ("to", kinds), ("at", {"type": "long", "logicalType": "timestamp-millis"}), ("n", "int"))
    new = schema_of("Order", ("n", "long"), ("at", old["fields"][1]["type"]), ("to", kinds))
    for to in (None, {"city": "Ulm"}, {"city": "Ulm", "at": 2.5}):
        value = {"to": to, "at": "2026-01-31T12:00:00.001Z", "n": 3}
        found = Avro(new, earlier=(old,)).bare(encoded(Avro(old, single_object=True), **value))
        assert found == encoded(Avro(new), **value)


@pytest.mark.parametrize("kind", ["float", "double", ["null", "double"], ["double", "string"]])
@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_has_not_are_their_names_and_come_back(kind: Any, name: str) -> None:
    format_ = Avro(schema_of("O", ("n", kind), ("more", ["null", "string"])))
    value = {"n": name, "more": None}
    assert decoded(format_, encoded(format_, **value)) == value
    plain: Any = schemaless_reader(io.BytesIO(encoded(format_, **value)), format_.parsed, None)
    number = plain["n"]
    assert number == name if kind == ["double", "string"] else repr(number) == repr(float(name))


def test_a_number_that_no_double_is_has_no_place() -> None:
    for number in (b"1e400", b"1" + b"0" * 400):
        with pytest.raises(Undecodable, match="is not a number of 64 bits"):
            Avro("double").from_json(number)


def test_a_value_of_a_schema_that_is_not_known_names_its_fingerprint() -> None:
    other = {"type": "record", "name": "X", "fields": [{"name": "n", "type": "int"}]}
    data = encoded(Avro(other, single_object=True), n=1)
    with pytest.raises(Undecodable, match=r"fingerprint [0-9a-f]{16} is not known") as error:
        ORDER.to_json(data)
    assert error.value.reason is Reason.UNKNOWN_SCHEMA


def test_a_value_in_the_single_object_encoding_has_the_fingerprint_of_the_specification() -> None:
    assert Avro("int", single_object=True).from_json(b"1") == b"\xc3\x01" + bytes.fromhex("8f5c393f1ad57572") + b"\x02"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"n": 1, "m": 2}, "the schema has no field m"),
        ({}, "the field n is missing, and has no default"),
        ({"n": "1"}, "n: '1' is not a whole number of 32 bits"),
        ({"n": 1 << 31}, "n: 2147483648 is not a whole number of 32 bits"),
        ({"n": 1, "to": {"city": 1}}, "to: city: 1 is not text"),
        ([], r"\[\] is not an object \(O\)"),
    ],
)
def test_json_for_which_there_is_no_place_is_told_with_the_field(value: Any, error: str) -> None:
    fields = [{"name": "n", "type": "int"}, {"name": "to", "type": ["null", ADDRESS], "default": None}]
    with pytest.raises(Undecodable, match=f"O: {error}") as raised:
        Avro({"type": "record", "name": "O", "fields": fields}).from_json(json.dumps(value).encode())
    assert raised.value.reason is Reason.NOT_OF_SCHEMA


@pytest.mark.parametrize("schema", ["no.avsc", '{"type": "recor"}', "{", "nope"])
def test_a_schema_that_is_none_is_one_line_that_names_the_topic(schema: str) -> None:
    with pytest.raises(StreamappError) as error:
        Avro(schema).bound("orders")
    assert str(error.value).startswith("orders: ")
    assert "\n" not in str(error.value)


def test_types_of_other_files_beside_it_are_found(tmp_path: Path) -> None:
    (tmp_path / "Address.avsc").write_text(json.dumps(ADDRESS))
    order = {"type": "record", "name": "Order", "fields": [{"name": "to", "type": "Address"}]}
    (tmp_path / "Order.avsc").write_text(json.dumps(order))
    found = Avro(tmp_path / "Order.avsc")
    assert decoded(found, encoded(found, to={"city": "Ulm"})) == {"to": {"city": "Ulm"}}
