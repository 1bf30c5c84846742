"""Keys in a format are given and read as text, or as the JSON that they are."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from streamapp.formats import Avro, Format, Json, MessagePack, Protobuf, Raw
from streamapp.formats.keys import KeyField, Keys
from streamapp.formats.undecodable import Undecodable

PROTO = Path(__file__).with_name("key.proto")
RECORD = Avro({"type": "record", "name": "Key", "fields": [{"name": "user_id", "type": "string"}]})


@pytest.mark.parametrize(
    ("format_", "text"),
    [
        (Json(), b"u1"),
        (Avro("string"), b"u1"),
        (Avro("string"), b"7"),
        (Avro("long"), b"7"),
        (MessagePack(), b"u1"),
        (Raw(), b"AAE="),
        (RECORD, b'{"user_id":"u1"}'),
        (Protobuf(PROTO), b'{"user_id":"u1"}'),
        (KeyField(RECORD, "user_id"), b"u1"),
        (KeyField(Protobuf(PROTO), "user_id"), b"u1"),
    ],
)
def test_a_key_that_is_given_as_its_text_is_that_key(format_: Format, text: bytes) -> None:
    keys = Keys(format_.bound("clicks", key=True))
    assert next(keys.text(form) for form in keys.forms(text)) == text


def test_a_record_is_also_found_by_its_json_however_it_is_written() -> None:
    keys = Keys(RECORD)
    assert keys.forms(b'{ "user_id" : "u1" }') == [RECORD.from_json(b'{"user_id":"u1"}')]


def test_where_a_number_and_a_string_look_alike_both_are_meant() -> None:
    assert Keys(MessagePack()).forms(b"7") == [msgspec.msgpack.encode("7"), msgspec.msgpack.encode(7)]


def test_what_the_format_has_no_place_for_is_no_key() -> None:
    with pytest.raises(Undecodable, match="whole number"):
        Keys(Avro("long")).forms(b"u1")


@pytest.mark.parametrize(
    ("format_", "value", "key"),
    [
        (MessagePack(), 7, msgspec.msgpack.encode(7)),
        (MessagePack(), "7", msgspec.msgpack.encode("7")),
        (Avro("string"), 7, Avro("string").from_json(b'"7"')),
        (Avro("long"), "7", Avro("long").from_json(b"7")),
        (KeyField(RECORD, "user_id"), "u1", RECORD.from_json(b'{"user_id":"u1"}')),
    ],
)
def test_a_field_is_made_a_key_of_its_own_type_if_the_format_has_it(
    format_: Format, value: str | int, key: bytes
) -> None:
    assert Keys(format_).of(value) == key


def test_a_number_that_is_written_otherwise_is_not_taken_for_it() -> None:
    with pytest.raises(Undecodable):
        Keys(Avro("long")).of("007")


def test_of_an_object_without_the_field_the_text_is_its_json() -> None:
    other = MessagePack().from_json(b'{"id":1}')
    assert Keys(KeyField(MessagePack(), "user_id")).text(other) == b'{"id":1}'
