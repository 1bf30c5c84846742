"""What a key that does not fit is, and how it says the field all the same."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.batching.key_forms import KeyForm, key_form, read_key

USER = b'{"user_id":"u1","order":17}'
NUMBER = b'{"user_id":7,"order":"o1"}'
WIRE = b"\x00" + struct.pack(">i", 12)


@pytest.mark.parametrize(
    ("key", "value", "form", "text"),
    [
        (None, USER, KeyForm.NONE, "none"),
        (b"u1", USER, KeyForm.FIELD, "its user_id"),
        (b'"u1"', USER, KeyForm.QUOTED, "the user_id with JSON quotes"),
        (b'"7"', NUMBER, KeyForm.QUOTED, "the user_id with JSON quotes"),
        (struct.pack(">i", 7), NUMBER, KeyForm.INT32, "the user_id as a 4-byte integer"),
        (struct.pack(">q", 7), NUMBER, KeyForm.INT64, "the user_id as an 8-byte integer"),
        (struct.pack(">q", -7), b'{"user_id":"-7"}', KeyForm.INT64, "the user_id as an 8-byte integer"),
        (b'{"user_id":"u1"}', USER, KeyForm.OBJECT, "a JSON object with the user_id in it"),
        (b"7.0", b'{"user_id":7.0}', KeyForm.FIELD, "its user_id"),
        (b"7", b'{"user_id":7.0}', KeyForm.OTHER, "not that of the value, '7.0'"),
        (b'{"schema":{},"payload":{"user_id":7}}', NUMBER, KeyForm.OBJECT, "a JSON object with the user_id in it"),
        (WIRE + b"\x04u1", USER, KeyForm.AVRO_STRING, "(schema 12: an Avro string)"),
        (WIRE + b"\x0e", NUMBER, KeyForm.AVRO_LONG, "(schema 12: an Avro integer)"),
        (WIRE + b"\x00\x0a\x02u1", USER, KeyForm.WIRE, "Avro, Protobuf or JSON Schema), with the user_id in it"),
        (b"17", USER, KeyForm.OTHER_FIELD, "the value's order, not its user_id"),
        (b"o1", NUMBER, KeyForm.OTHER_FIELD, "the value's order, not its user_id"),
        (b"u2", USER, KeyForm.OTHER, "not that of the value, 'u1'"),
        (b'"u2"', USER, KeyForm.OTHER, "a string with JSON quotes, and not that of the value's user_id, 'u1'"),
        (struct.pack(">q", 9), NUMBER, KeyForm.OTHER, "maybe an integer of 8 bytes, 9"),
        (b'{"id":1}', USER, KeyForm.OTHER, "a JSON object without the user_id"),
        (b"u1", b"not JSON", KeyForm.OTHER, "another one"),
        (b"", USER, KeyForm.OTHER, "not that of the value, 'u1'"),
    ],
)
def test_the_form_of_a_key_is_known_from_the_value(key: bytes | None, value: bytes, form: KeyForm, text: str) -> None:
    found = key_form(key, value, "user_id")
    assert found.form is form
    assert text in found.text


@pytest.mark.parametrize(
    ("key", "form", "user"),
    [
        (b"u1", KeyForm.FIELD, b"u1"),
        (b'"\\u00e9"', KeyForm.QUOTED, "é".encode()),
        (b"u1", KeyForm.QUOTED, None),
        (struct.pack(">i", 1 << 30), KeyForm.INT32, b"1073741824"),
        (struct.pack(">i", 7), KeyForm.INT64, None),
        (b'{"user_id":7}', KeyForm.OBJECT, b"7"),
        (b'{"id":7}', KeyForm.OBJECT, None),
        (WIRE + b"\x04u1", KeyForm.AVRO_STRING, b"u1"),
        (WIRE + b"\x04u12", KeyForm.AVRO_STRING, None),
        (b"u1", KeyForm.WIRE, None),
    ],
)
def test_a_key_is_read_in_a_form_that_is_known_or_not_at_all(key: bytes, form: KeyForm, user: bytes | None) -> None:
    assert read_key(key, form, "user_id") == user


@given(st.none() | st.binary(max_size=40), st.none() | st.binary(max_size=60) | st.just(USER))
def test_any_key_beside_any_value_has_a_form(key: bytes | None, value: bytes | None) -> None:
    assert key_form(key, value, "user_id").text
