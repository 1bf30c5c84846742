"""JSON lines: sent byte for byte, with the key and the event time of their fields."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.produce import JsonLines, Line, ProduceError


def read(line: bytes, **how: Any) -> Line:
    (record,) = JsonLines(**how).read([line], "input")
    return record


def timestamp(value: str) -> int | None:
    return read(b'{"at":%b}\n' % value.encode(), timestamp="at").timestamp


def error(*lines: bytes, **how: Any) -> str:
    with pytest.raises(ProduceError) as raised:
        list(JsonLines(**how).read(lines, "input"))
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_line_is_sent_as_it_is_without_its_end() -> None:
    assert read(b'{ "a":1.50 }\r\n') == Line(None, b'{ "a":1.50 }', None)


def test_the_last_line_needs_no_end() -> None:
    assert read(b"[1]").value == b"[1]"


def test_empty_lines_are_skipped_but_counted() -> None:
    assert error(b"\n", b"  \n", b"{\n").startswith("input:3: ")


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ('"u1"', b"u1"),
        ('"\\u00e9"', "é".encode()),
        ('""', b""),
        ("17", b"17"),
        ("1.50", b"1.50"),
        ("-0", b"-0"),
    ],
)
def test_a_key_is_the_string_or_the_number_as_it_is_written(value: str, key: bytes) -> None:
    assert read(b'{"x":1,"id":%b}' % value.encode(), key="id").key == key


@settings(deadline=None)
@given(st.text())
def test_any_string_can_be_a_key(text: str) -> None:
    try:
        expected = text.encode()
    except UnicodeEncodeError:
        return

    assert read(msgspec.json.encode({"id": text}), key="id").key == expected


@pytest.mark.parametrize("value", ["null", "true", "[]", "{}"])
def test_another_value_cannot_be_a_key(value: str) -> None:
    message = error(b'{"id":1}', b'{"id":%b}' % value.encode(), key="id")

    assert message.startswith("input:2: the key, field id, must be a string or a number")


def test_a_line_without_the_field_is_named_with_its_number() -> None:
    assert error(b'{"id":1}', b'{"di":1}', key="id").startswith("input:2: there is no field id")
    assert error(b'{"id":1}', timestamp="at").startswith("input:1: there is no field at")


@pytest.mark.parametrize("line", [b"nope", b'{"id":', b'{"id":01}', b'{"id":"\xff"}'])
def test_a_line_that_is_not_json_is_named_with_its_number(line: bytes) -> None:
    assert error(b'{"id":1}', line, key="id").startswith("input:2: not JSON: ")
    assert error(b"1", line).startswith("input:2: not JSON: ")


def test_a_line_that_is_not_an_object_has_no_fields() -> None:
    assert error(b"[1]", key="id").startswith("input:1: not a JSON object")


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        ("1763000000123", 1_763_000_000_123),
        ("1763000000123.4", 1_763_000_000_123),
        ("1763000000", 1_763_000_000_000),
        ("1763000000.123", 1_763_000_000_123),
        ("100000000000", 100_000_000_000),
        ('"2025-11-13T02:13:20.123Z"', 1_763_000_000_123),
        ('"2025-11-13T03:13:20+01:00"', 1_763_000_000_000),
        ('"2025-11-13T02:13:20"', 1_763_000_000_000),
    ],
)
def test_a_timestamp_is_milliseconds_or_seconds_or_iso_8601(value: str, milliseconds: int) -> None:
    assert timestamp(value) == milliseconds


@pytest.mark.parametrize(
    "value", ['"soon"', '"1763000000"', "-1", "1e300", "1e400", "null", "true", "[]", '"0001-01-01"']
)
def test_another_value_cannot_be_a_timestamp(value: str) -> None:
    message = error(b'{"at":%b}' % value.encode(), timestamp="at")

    assert message.startswith(("input:1: the timestamp, field at, must be", "input:1: not JSON"))


def test_a_field_of_an_object_in_the_line_is_named_with_a_dot() -> None:
    line = b'{"meta":{"at":1763000000000,"by":{"id":"u1"}},"meta.at":1}'
    assert read(line, key="meta.by.id").key == b"u1"
    assert read(line, timestamp="meta.at").timestamp == 1_000  # a name with a dot goes first
    assert read(line, key="meta.by.id", timestamp="meta.at").value == line


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("meta.of", "there is no field meta.of"),
        ("meta.at.x", "there is no field meta.at.x: 7 has none"),
        ("of", "there is no field of"),
    ],
)
def test_a_field_that_there_is_not_is_named(name: str, words: str) -> None:
    assert error(b'{"meta":{"at":7}}', key=name).startswith(f"input:1: {words}")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"user_id,at,url", "it looks like CSV"),
        (b'\xef\xbb\xbf{"user_id":"u1","at":1}', "a byte order mark is before it"),
        (b"u1;1763000000;/", "it looks like CSV"),
        (b'[{"id":1},{"id":2}]', "it is an array: write one object a line"),
        (b"[", "several lines"),
        (b"{", "several lines"),
        (b'{"id":NaN}', '{"id":NaN}'),
        (b'{"id":Infinity}', '{"id":Infinity}'),
    ],
)
def test_a_line_that_is_something_else_is_shown_and_named_as_what_it_looks_like(line: bytes, words: str) -> None:
    assert words in error(line, key="id")


def test_of_a_long_line_the_begin_is_shown() -> None:
    message = error(b"x" * 20_000_000, key="id")
    assert message.startswith("input:1: not JSON: ")
    assert len(message) < 300


def test_an_error_shows_the_value() -> None:
    assert "not null" in error(b'{"id":null}', key="id")
    assert "20231114" in error(b'{"at":20231114}', timestamp="at")


@pytest.mark.parametrize("line", [b"", b"nope", b'{"id":null}', b'{"id":"u1","at":"soon"}', b"\xff"])
def test_raw_lines_are_sent_whatever_they_are(line: bytes) -> None:
    assert read(line + b"\n", key="id", timestamp="at", raw=True) == Line(None, line, None)


def test_raw_lines_have_their_key_and_timestamp_where_they_can() -> None:
    assert read(b'{"id":"u1","at":1763000000}', key="id", timestamp="at", raw=True) == Line(
        b"u1", b'{"id":"u1","at":1763000000}', 1_763_000_000_000
    )
