"""Records of a topic with formats, as the app has them and as they are written; MessagePack and raw bytes."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.errors import StreamappError
from streamapp.formats import Avro, Format, FormatDeclaration, Json, MessagePack, Protobuf, Raw, Registered
from streamapp.formats.named import FormatName, named
from streamapp.formats.registered import placed_alike
from streamapp.formats.serde import Read, Serde, came
from streamapp.formats.undecodable import Undecodable
from streamapp.joins import Event, Refused
from streamapp.runtime.topics import DeclaredTopics

PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(map(finite, parts))


@given(PLAIN.filter(finite))
def test_messagepack_becomes_json_and_comes_back(value: Any) -> None:
    try:
        data = msgspec.json.encode(value)
    except UnicodeEncodeError:
        return
    packed = MessagePack().from_json(data)
    assert msgspec.msgpack.decode(packed) == json.loads(data)
    assert json.loads(MessagePack().to_json(packed)) == json.loads(data)


@given(st.binary(max_size=40))
def test_any_bytes_are_messagepack_or_undecodable(data: bytes) -> None:
    try:
        found = MessagePack().to_json(data)
    except Undecodable:
        return
    json.loads(found)


@given(st.binary(max_size=40))
def test_raw_bytes_become_base64_and_come_back(data: bytes) -> None:
    assert Raw().from_json(Raw().to_json(data)) == data


@pytest.mark.parametrize("data", [b"{", b'"\xff"', b"", b"nope"])
def test_what_is_no_json_is_told(data: bytes) -> None:
    with pytest.raises(Undecodable):
        Json().to_json(data)


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_has_not_are_their_names(name: str) -> None:
    packed = msgspec.msgpack.encode({"a": [float(name), 1.5, None], "b": "null"})
    assert json.loads(MessagePack().to_json(packed)) == {"a": [name, 1.5, None], "b": "null"}


def test_a_record_has_json_text_for_a_key_and_headers_that_say_so() -> None:
    serde = Serde.of("t", MessagePack(), Avro("long"))
    assert serde is not None
    headers = [("Content-Type", b"x"), ("own_schema_id", b"1"), ("__value_schema_id", b"2"), ("__key_schema_id", b"3")]
    record: Any = SimpleNamespace(key=b"\x0e", value=b"\x01", timestamp=5, offset=6, headers=headers)
    found = serde.read(record)
    assert (found.key, found.value, found.timestamp, found.offset) == (b"7", b"1", 5, 6)
    assert found.headers == [("Content-Type", b"application/json"), ("own_schema_id", b"1")]
    assert came(found) is record  # type: ignore[type-var]


def test_the_schema_of_a_key_that_stays_is_told_on() -> None:
    headers = [("__key_schema_id", b"3"), ("__value_schema_id", b"2")]
    record: Any = SimpleNamespace(key=b"k", value=b"\x01", timestamp=5, offset=6, headers=headers)
    assert Serde(MessagePack()).read(record).headers == [("__key_schema_id", b"3")]


@pytest.mark.parametrize(
    ("schema", "key", "text"),
    [("string", b"\x04u1", b"u1"), ("string", b"\x027", b"7"), ("long", b"\x0e", b"7"), ("double", b"\0" * 8, b"0.0")],
)
def test_a_key_is_its_text_and_is_written_as_it_was(schema: str, key: bytes, text: bytes) -> None:
    serde = Serde(Json(), Avro(schema))
    assert serde.read(Event(key, None, 1)).key == text
    assert serde.write(text, None)[0] == key


def test_a_key_for_which_there_is_no_place_is_told() -> None:
    with pytest.raises(Undecodable, match="'u1' is not a whole number"):
        Serde(Json(), Avro("long")).write(b"u1", None)


def test_what_cannot_be_read_is_refused_with_the_reason_as_the_cause() -> None:
    with pytest.raises(Refused) as error:
        Read(Serde(MessagePack())).one(Event(b"k", b"\xc1", 1))
    assert error.value.cause == "not_msgpack"


def test_a_topic_has_one_format_wherever_it_is_declared() -> None:
    declared = DeclaredTopics()
    assert declared.serde("plain") is None
    declared.serde("orders", MessagePack())
    assert declared.serde("orders") == declared.serde("orders", MessagePack())
    with pytest.raises(StreamappError, match="orders is declared with format=msgpack and with raw"):
        declared.serde("orders", Raw())


@pytest.mark.parametrize("format_", [Avro("long"), Protobuf("a.proto"), MessagePack(), Raw(), Json()])
def test_a_format_that_knows_of_no_topic_reads_by_itself_but_one_of_a_registry_is_bound_first(
    format_: FormatDeclaration,
) -> None:
    assert isinstance(format_, Format)
    assert isinstance(Registered(), FormatDeclaration)
    assert not isinstance(Registered(), Format)
    assert isinstance(Registered().bound("orders"), Format)


def test_keys_of_a_registry_are_not_where_the_same_key_is_by_another_schema() -> None:
    declared = DeclaredTopics()
    declared.serde("orders", key=Registered(Avro("string")))
    with pytest.raises(StreamappError, match=r"^the join x: the keys of orders have the id .*\.rekey\(\)"):
        declared.check_placed(["pages", "orders"], "the join x")
    declared.check_placed(["pages"], "the join x")
    assert not placed_alike(Registered(Avro("string")), Registered(Avro("string")))
    assert placed_alike(Avro("string"), Avro("string"))


def test_topics_that_go_together_have_keys_of_one_format() -> None:
    declared = DeclaredTopics()
    declared.serde("orders", key=Avro("long"))
    declared.serde("pages", key=Avro("long"))
    assert declared.key_format(["orders", "pages"], "the join x") == Avro("long")
    with pytest.raises(StreamappError, match=r"the keys of orders and users are not in the same format.*\.rekey\(\)"):
        declared.key_format(["orders", "users"], "the join x")


@pytest.mark.parametrize(
    ("name", "schema", "error"),
    [
        (FormatName.AVRO, "", "avro needs a schema: --schema names its file"),
        (FormatName.PROTOBUF, "", "protobuf needs a schema: --schema names its file"),
        (FormatName.JSON, "a.avsc", "--schema=a.avsc: json takes no schema"),
    ],
)
def test_a_format_without_its_schema_or_with_one_too_many_is_one_line(
    name: FormatName, schema: str, error: str
) -> None:
    with pytest.raises(StreamappError) as raised:
        named(name, schema, "--schema")
    assert str(raised.value) == error
