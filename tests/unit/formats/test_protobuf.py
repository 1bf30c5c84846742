"""Protobuf: messages become JSON and come back; those that were written by other versions of a schema are read."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from streamapp.errors import StreamappError
from streamapp.formats import Protobuf
from streamapp.formats.undecodable import Reason, Undecodable

FILE = Path(__file__).with_name("orders.proto")
ORDER = Protobuf(FILE, "Order").bound("orders")
TEXT = st.text(st.characters(codec="utf-8"), max_size=5)
ADDRESSES: st.SearchStrategy[Any] = st.recursive(
    st.fixed_dictionaries({"city": TEXT, "next": st.none()}),
    lambda inner: st.fixed_dictionaries({"city": TEXT, "next": inner}),
    max_leaves=2,
)
PLAIN = st.recursive(
    st.none() | st.booleans() | TEXT | st.integers(-100, 100).map(float),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
ORDERS = st.fixed_dictionaries(
    {
        "id": st.integers(-(1 << 63), (1 << 63) - 1),
        "to": st.none() | ADDRESSES,
        "by_name": st.dictionaries(TEXT, ADDRESSES, max_size=2),
        "by_number": st.dictionaries(st.integers(-5, 5).map(str), st.booleans(), max_size=2),
        "kinds": st.lists(st.sampled_from(["UNKNOWN", "GIFT", 7]), max_size=3),
        "at": st.sampled_from([None, "2026-01-31T12:00:00.001Z", "1969-12-31T23:59:59Z"]),
        "wrapped": st.none() | st.integers(0, 1 << 60),
        "more": st.none() | st.dictionaries(TEXT, PLAIN, max_size=2),
        "data": st.sampled_from(["", "AAE="]),
        "share": st.integers(-1000, 1000).map(lambda n: n / 8),
        "exact": st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(["NaN", "Infinity", "-Infinity"]),
        "age": st.none() | st.integers(-5, 5),
        "took": st.sampled_from([None, "1.500s"]),
    },
    optional={"card": TEXT},
)


def encoded(format_: Protobuf, value: object) -> bytes:
    return format_.from_json(json.dumps(value).encode())


def decoded(format_: Protobuf, data: bytes) -> Any:
    return json.loads(format_.to_json(data))


def compiled(directory: Path, text: str) -> Protobuf:
    directory.mkdir(exist_ok=True)
    (directory / "order.proto").write_text(f'syntax = "proto3"; message Order {{ {text} }}')
    return Protobuf(directory / "order.proto")


@given(ORDERS)
def test_json_becomes_a_message_and_the_same_json(order: dict[str, Any]) -> None:
    assert decoded(ORDER, encoded(ORDER, order)) == order


@given(ORDERS)
def test_json_is_that_of_protobuf_but_for_whole_numbers_and_what_is_not_set(order: dict[str, Any]) -> None:
    message = ORDER.parse(encoded(ORDER, order))
    theirs = MessageToDict(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        descriptor_pool=message.DESCRIPTOR.file.pool,  # type: ignore[arg-type]
    )
    ours = decoded(ORDER, encoded(ORDER, order))
    for field in ("kinds", "at", "took", "data", "by_number"):
        assert ours[field] == theirs.get(field)
    assert ours["id"] == int(theirs["id"])


@given(st.binary(max_size=40))
def test_any_bytes_are_a_message_or_undecodable(data: bytes) -> None:
    with contextlib.suppress(Undecodable):
        assert isinstance(decoded(ORDER, data), dict)


@given(ORDERS.filter(lambda order: order["id"] != 0))
def test_a_message_that_is_cut_amid_a_field_is_told(order: dict[str, Any]) -> None:
    with pytest.raises(Undecodable, match=r"no message shop\.Order"):
        ORDER.to_json(encoded(ORDER, {"id": order["id"], "card": "1234"})[:-1])


def test_of_a_oneof_there_is_the_field_that_is_set() -> None:
    assert not {"card", "cash"} & decoded(ORDER, encoded(ORDER, {"id": 1})).keys()
    assert decoded(ORDER, encoded(ORDER, {"id": 1, "card": ""}))["card"] == ""
    assert decoded(ORDER, encoded(ORDER, {"id": 1, "cash": {"city": "Ulm"}}))["cash"]["city"] == "Ulm"


def test_fields_that_were_added_removed_renamed_and_widened_are_read_by_their_numbers(tmp_path: Path) -> None:
    old = compiled(tmp_path / "old", "string customer = 1; int32 n = 2; string gone = 3;")
    new = compiled(tmp_path / "new", "string client = 1; int64 n = 2; string added = 4;")
    assert decoded(new, encoded(old, {"customer": "ann", "n": 3, "gone": "x"})) == {
        "client": "ann",
        "n": 3,
        "added": "",
    }
    assert decoded(old, encoded(new, {"client": "ann", "n": 3, "added": "x"}))["customer"] == "ann"


def test_a_message_of_which_no_field_is_known_is_told(tmp_path: Path) -> None:
    other = compiled(tmp_path, "string name = 99;")
    with pytest.raises(Undecodable, match="none of its fields is known"):
        ORDER.to_json(encoded(other, {"name": "x"}))


@pytest.mark.parametrize(
    ("value", "error"),
    [({"nope": 1}, 'no field named "nope"'), ({"id": "x"}, "Failed to parse id field"), ([], "it is no object")],
)
def test_json_for_which_there_is_no_place_is_told_with_the_field(value: object, error: str) -> None:
    with pytest.raises(Undecodable, match=error) as raised:
        encoded(ORDER, value)
    assert raised.value.reason is Reason.NOT_OF_SCHEMA


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_number_of_32_bits_comes_back_as_it_was(number: float) -> None:
    data = ORDER.generated(share=number).SerializeToString(deterministic=True)
    assert ORDER.parse(ORDER.from_json(ORDER.to_json(data))).share == number  # type: ignore[attr-defined]


def test_a_number_of_32_bits_has_no_more_digits_than_it_needs() -> None:
    assert decoded(ORDER, ORDER.generated(share=0.1).SerializeToString())["share"] == 0.1


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"id": None}, "id"),
        ({"to": {"city": None}}, "to.city"),
        ({"by_name": {"a": {"city": None}}}, "by_name.a.city"),
        ({"kinds": None}, "kinds"),
        ({"byName": None}, "byName"),
    ],
)
def test_null_for_a_field_that_would_be_zero_is_refused(value: object, where: str) -> None:
    with pytest.raises(Undecodable, match=f"shop.Order: {where} is null, for which only an optional field") as raised:
        encoded(ORDER, value)
    assert raised.value.reason is Reason.NOT_OF_SCHEMA


def test_null_for_a_field_that_can_be_missing_is_one_that_is_not_set() -> None:
    value = {"to": None, "age": None, "at": None, "more": {"a": None}, "card": None}
    assert decoded(ORDER, encoded(ORDER, value))["age"] is None
    assert decoded(ORDER, encoded(ORDER, value))["more"] == {"a": None}


def test_a_generated_class_is_taken_as_it_is_or_by_its_name() -> None:
    data = b"\x08\x01"
    for format_ in (Protobuf(Timestamp), Protobuf("google.protobuf.timestamp_pb2:Timestamp")):
        assert format_.bound("t").to_json(data) == b'"1970-01-01T00:00:01Z"'


@pytest.mark.parametrize(
    ("source", "message", "error"),
    [
        (str(FILE), "", "has the messages Address, Order: name the one that values are"),
        (str(FILE), "Nope", "has no message Nope; it has Address, Order"),
        ("no.proto", "", "there is no file no.proto"),
        ("nowhere:Order", "", "cannot be imported"),
        ("json:dumps", "", "is no class that protoc has generated"),
    ],
)
def test_a_message_that_cannot_be_had_is_one_line_that_names_the_topic(source: str, message: str, error: str) -> None:
    with pytest.raises(StreamappError, match=error) as raised:
        Protobuf(source, message).bound("orders")
    assert str(raised.value).startswith("orders: ")


def test_a_file_that_cannot_be_compiled_names_line_and_fault(tmp_path: Path) -> None:
    with pytest.raises(StreamappError, match=r'order.proto:1:\d+: "strin" is not defined'):
        compiled(tmp_path, "strin a = 1;").bound("orders")
