"""What a value that is no JSON object looks like."""

from __future__ import annotations

import gzip
import json

import msgspec
import pytest

from streamapp.formats.value_forms import JSON_OBJECT, form_of, not_json

ORDER = {"customer_id": "c0", "order": 7, "note": "a longer text, for the sake of it"}
TEXT = json.dumps(ORDER).encode()


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (TEXT, JSON_OBJECT),
        (b"", "empty"),
        (b" \n", "nothing but spaces"),
        (b"\x00\x00\x00\x00\x11\x04c0\x0aorder", "Avro or Protobuf of a schema registry (schema 17)"),
        (b"\x00\x00\x00\x00\x11\x00\x0a\x02c0\x10\x07", "Avro or Protobuf of a schema registry (schema 17)"),
        (b"\x00\x00\x00\x00\x11" + TEXT, "JSON in a frame of a schema registry (schema 17): 5 bytes are before it"),
        (b"Obj\x01\x04\x14avro.codec", "an Avro file"),
        (b"\xc3\x01" + bytes(range(8)), "Avro, with the fingerprint of its schema"),
        (b"\x0a\x02c0\x10\x07", "binary, such as Avro or Protobuf"),
        (b"\x04c0\xff\xfe\x80", "binary, such as Avro or Protobuf"),
        (gzip.compress(TEXT, mtime=0), "compressed with gzip"),
        (msgspec.msgpack.encode(ORDER), "MessagePack"),
        (b"\x0e\x00\x00\x00\x02a\x00\x02\x00\x00\x00b\x00\x00", "BSON"),
        (TEXT.decode().encode("utf-16"), "text in UTF-16"),
        (TEXT.decode().encode("utf-16-le"), "text in UTF-16"),
        (b"\xef\xbb\xbf" + TEXT, "text with a byte order mark before it"),
        (b"[1, 2]", "a JSON array"),
        (b"17", "a JSON number"),
        (b"null", "a JSON null"),
        (b"true", "a JSON boolean"),
        (b'"c0"', "a JSON string"),
        (json.dumps(TEXT.decode()).encode(), "a JSON object that was made JSON twice: it stands in a string"),
        (str(ORDER).encode(), "a Python dict as it is printed, with single quotes"),
        (TEXT[:-1], "damaged JSON"),
        (TEXT + TEXT, "damaged JSON"),
        (b"<order><id>7</id></order>", "XML"),
        (b"c0;7;a note", "plain text"),
        ("für c0\n".encode(), "plain text"),
    ],
)
def test_what_a_value_looks_like(value: bytes, form: str) -> None:
    assert form_of(value) == form


def test_an_error_says_what_the_value_looks_like_unless_it_is_an_object() -> None:
    assert not_json("it is damaged", b"c0;7") == "it is damaged; the value is plain text"
    assert not_json("a field is missing", TEXT) == "a field is missing"


def test_a_character_that_is_cut_in_two_where_the_look_ends_is_no_damage() -> None:
    assert form_of(("x" + "ü" * (1 << 16)).encode()) == "plain text"
