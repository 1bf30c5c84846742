"""The wire format of Confluent's serializers, by those serializers themselves."""

from __future__ import annotations

import io
import uuid

import pytest
from confluent_kafka.schema_registry.serde import SchemaId
from hypothesis import given
from hypothesis import strategies as st

from streamapp.formats.wire_format import KEY_HEADER, VALUE_HEADER, Framed, WireError, frame, read_frame

IDS = st.integers(1, 2**31 - 1)
PATHS = st.lists(st.integers(0, 10_000), min_size=1, max_size=5)
GUID = uuid.UUID("89791762-2336-4186-9674-299b90a802e2")


@given(IDS, st.binary())
def test_what_confluents_serializer_frames_is_read(schema: int, data: bytes) -> None:
    framed = SchemaId("AVRO", schema).id_to_bytes() + data
    assert read_frame(framed) == Framed(schema, data)


@given(IDS, PATHS, st.binary())
def test_a_message_of_protobuf_is_found_by_its_path(schema: int, path: list[int], data: bytes) -> None:
    written = SchemaId("PROTOBUF", schema, message_indexes=path).id_to_bytes() + data
    assert read_frame(written).message() == (tuple(path), data)


@given(IDS, PATHS, st.binary())
def test_what_is_framed_is_read_by_confluents_deserializer(schema: int, path: list[int], data: bytes) -> None:
    found = SchemaId("PROTOBUF")
    rest = found.from_bytes(io.BytesIO(frame(schema, tuple(path)) + data))
    assert (found.id, found.message_indexes, rest.read()) == (schema, path, data)


def test_the_first_message_of_a_schema_takes_one_byte() -> None:
    assert frame(7, (0,)) == b"\0\0\0\0\7" + b"\0"


@pytest.mark.parametrize(("header", "key"), [(KEY_HEADER, True), (VALUE_HEADER, False)])
def test_an_id_in_the_headers_goes_before_what_the_data_begin_with(header: str, key: bool) -> None:
    told = SchemaId("AVRO", guid=str(GUID)).guid_to_bytes()
    assert read_frame(b"\0\0\0\0\7x", [("trace", b"1"), (header, told)], key=key) == Framed(GUID, b"\0\0\0\0\7x", b"")


def test_a_header_has_the_path_of_a_message_too() -> None:
    told = SchemaId("PROTOBUF", guid=str(GUID), message_indexes=[1, 2]).guid_to_bytes()
    assert read_frame(b"data", [(VALUE_HEADER, told)]).message() == ((1, 2), b"data")


def test_the_header_of_the_key_says_nothing_of_the_value() -> None:
    assert read_frame(b"\0\0\0\0\7x", [(KEY_HEADER, frame(GUID))]).schema == 7


@pytest.mark.parametrize(
    ("data", "told"),
    [(b"", "it is empty"), (b'{"a":1}', "it begins with 7b"), (b"\0\0\0", "it begins with 00"), (b"\1abc", "01")],
)
def test_data_without_an_id_are_told_by_what_they_begin_with(data: bytes, told: str) -> None:
    with pytest.raises(WireError, match=f"it has no id of a schema before it: .*{told}"):
        read_frame(data)


@pytest.mark.parametrize("schema", [0, 2**31, 2**32 - 1])
@pytest.mark.parametrize("where", ["data", "header"])
def test_an_id_that_no_registry_gives_is_told(schema: int, where: str) -> None:
    told = schema.to_bytes(5)
    given = (told + b"x", []) if where == "data" else (b"x", [(VALUE_HEADER, told)])
    with pytest.raises(WireError, match=rf"has the schema id {schema}, where ids are from 1 to 2147483647"):
        read_frame(*given)


@pytest.mark.parametrize("path", [b"", b"\x02", b"\x80", b"\x01", b"\xff\xff\xff\xff\xff\xff"])
def test_a_path_that_is_cut_off_or_absurd_is_an_error(path: bytes) -> None:
    with pytest.raises(WireError):
        read_frame(b"\0\0\0\0\7" + path).message()
