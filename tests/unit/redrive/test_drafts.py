"""Letters that are mended, by expressions or in an editor: what is sent of them, byte by byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.conditions import condition
from streamapp.formats import Avro, MessagePack
from streamapp.mending import MendError, Mending
from streamapp.redrive.drafts import EditError, Outgoing, edited, lines, mended, opened
from streamapp.redrive.forms import Form, Formats
from streamapp.redrive.letters import Letter, Place
from streamapp.redrive.selection import Selection
from streamapp.redrive.sending import place_of

JSON = Formats()
NOTHING = Mending()


def letter(value: bytes | None = b'{"a": 1}', key: bytes | None = b"k", offset: int = 42, place: int = 17) -> Letter:
    source = Place("orders", 1, offset)
    return Letter(Place("letters", 0, place), source, "not_json", "bad", 1_000, key, value, [("trace", b"1")])


def sent(value: bytes | None, *set_: str, key: bytes | None = b"k", formats: Formats = JSON) -> Outgoing:
    return mended(opened(letter(value, key), formats), Mending(set_=set_))


@given(st.none() | st.binary(max_size=30), st.none() | st.binary(max_size=10))
def test_what_is_not_mended_keeps_its_bytes(value: bytes | None, key: bytes | None) -> None:
    for mending in (NOTHING, Mending(set_=["_time=1000"])):
        found = mended(opened(letter(value, key), JSON), mending)
        assert (found.key, found.value, found.timestamp) == (key, value, 1_000)
        assert not found.is_mended


@given(st.none() | st.binary(max_size=30), st.none() | st.binary(max_size=10))
def test_lines_that_nobody_edits_give_the_same_records(value: bytes | None, key: bytes | None) -> None:
    before = [mended(opened(letter(value, key), JSON), NOTHING)]
    text = b"\n".join(lines(before, lambda _: JSON)).decode()
    assert edited(text, before, lambda _: JSON) == before


def test_a_field_that_is_set_is_written_and_the_rest_stays() -> None:
    found = sent(b'{"a": 1, "b": [1.5, null]}', "a=2", "_key=a", "_time=5000")
    assert (found.key, found.timestamp) == (b"2", 5_000)
    assert json.loads(found.value or b"") == {"a": 2, "b": [1.5, None]}
    assert found.is_mended
    assert [name for name, _ in found.headers] == ["streamapp-redriven", "trace"]


def test_a_key_may_be_set_though_the_value_is_no_json() -> None:
    assert sent(b"{", "_key='u1'").key == b"u1"
    with pytest.raises(MendError, match="no JSON object"):
        sent(b"{", "a=1")


def test_values_are_written_in_the_format_of_their_topic(tmp_path: Any) -> None:
    (tmp_path / "o.avsc").write_text('{"type": "record", "name": "O", "fields": [{"name": "a", "type": "int"}]}')
    for declared in (MessagePack(), Avro(str(tmp_path / "o.avsc"))):
        format_ = declared.bound("orders")
        formats = Formats(format_)
        found = sent(format_.from_json(b'{"a":1}'), "a=2", formats=formats)
        assert format_.to_json(found.value or b"") == b'{"a":2}'
    with pytest.raises(MendError, match="not of the format of the topic"):
        sent(format_.from_json(b'{"a":1}'), "a='x'", formats=formats)


@pytest.mark.parametrize(
    ("value", "form", "content"),
    [
        (b'{"a":1}', Form.JSON, {"a": 1}),
        (None, Form.JSON, None),
        (b'{"a":', Form.TEXT, '{"a":'),
        (b"\xff\x00", Form.BYTES, "/wA="),
        (b'"\xff"', Form.BYTES, "Iv8i"),
    ],
)
def test_what_is_no_json_is_a_text_or_bytes(value: bytes | None, form: Form, content: Any) -> None:
    found = opened(letter(value), JSON).value
    assert (found.form, found.content) == (form, content)


def edit(changes: Any, value: bytes | None = b'{"a":') -> Outgoing:
    before = [mended(opened(letter(value), JSON), NOTHING)]
    (line,) = lines(before, lambda _: JSON)
    fields = {name: one for name, one in {**json.loads(line), **changes}.items() if one is not ...}
    (after,) = edited(json.dumps(fields), before, lambda _: JSON)
    return after


def test_a_broken_value_is_mended_as_a_text() -> None:
    assert edit({"text": '{"a":1}'}).value == b'{"a":1}'


def test_a_broken_value_is_replaced_by_json_or_bytes_or_none() -> None:
    assert edit({"text": ..., "value": {"a": 2}}).value == b'{"a":2}'
    assert edit({"text": ..., "base64": "/wA="}).value == b"\xff\x00"
    assert edit({"text": ..., "value": None}).value is None


def test_key_and_time_are_edited() -> None:
    found = edit({"key": "u1", "time": "2026-01-31T12:00:00Z"})
    assert (found.key, found.timestamp, found.value) == (b"u1", 1_769_860_800_000, b'{"a":')
    assert edit({"key": {"base64": "/wA="}}).key == b"\xff\x00"
    assert edit({"key": None}).key is None


def test_a_line_that_is_gone_leaves_its_letter() -> None:
    before = [mended(opened(letter(place=place), JSON), NOTHING) for place in (1, 2)]
    text = list(lines(before, lambda _: JSON))[1].decode()
    assert edited(f"\n{text}\n", before, lambda _: JSON) == before[1:]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"letter": "letters/0/99"}, "none of those that were picked"),
        ({"value": 1}, "and this has 2"),
        ({"text": ...}, "and this has 0"),
        ({"text": 7}, "text is a string"),
        ({"text": ..., "base64": "?"}, "no base64"),
        ({"amount": 7}, "there is no amount in a line"),
        ({"key": 7}, "7 is no key"),
        ({"time": "soon"}, "is no time"),
        ({"time": -1}, "no event time"),
    ],
)
def test_a_line_that_cannot_be_sent_is_told_with_its_number(changes: Any, why: str) -> None:
    with pytest.raises(EditError, match=f"line 1: .*{why}"):
        edit(changes)


def test_lines_that_are_no_json_or_are_there_twice_are_told() -> None:
    before = [mended(opened(letter(), JSON), NOTHING)]
    (line,) = lines(before, lambda _: JSON)
    with pytest.raises(EditError, match="line 2: "):
        edited("\n{", before, lambda _: JSON)
    with pytest.raises(EditError, match=r"line 2: .*there twice"):
        edited(f"{line.decode()}\n{line.decode()}", before, lambda _: JSON)


def test_a_record_goes_to_its_own_partition_unless_it_has_another_key() -> None:
    assert place_of(sent(b"{}"), 4).partition == 1
    assert place_of(sent(b"{}"), 1).partition == 0
    assert place_of(sent(b"{}", "_key='u1'"), 4).partition != 1 or place_of(sent(b"{}", "_key='u2'"), 4).partition != 1
    assert place_of(mended(opened(letter(offset=-1), JSON), NOTHING), 1 << 20).partition > 1


def test_letters_are_picked_by_key_and_by_what_is_in_their_values() -> None:
    opening = opened(letter(b'{"a": 1}'), JSON)
    assert Selection(key="k", where=condition("a == 1 and _time == 1000")).takes_opened(opening)
    assert not Selection(key="other").takes_opened(opening)
    assert not Selection(where=condition("a > 1")).takes_opened(opening)
    assert not Selection(where=condition("a > 1")).takes_opened(opened(letter(b"{"), JSON))
