"""A field of a record's value as its key, and what is said if it is not there."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from streamapp.formats.fields import Field
from streamapp.joins import Event, Refused


def record(value: Any) -> Event:
    return Event(b"k", value if isinstance(value, bytes) else json.dumps(value).encode(), 0)


@pytest.mark.parametrize(("value", "key"), [("c0", b"c0"), (7, b"7"), (None, None)])
def test_a_string_or_a_number_is_a_key_and_null_is_none(value: Any, key: bytes | None) -> None:
    assert Field("id", required=True)(record({"id": value})) == key


def test_a_field_that_is_not_there_is_no_key_unless_it_is_required() -> None:
    assert Field("id")(record({"name": "Ann"})) is None


@pytest.mark.parametrize(
    ("name", "value", "cause", "said"),
    [
        ("custmer_id", {"customer_id": 1, "x": 2}, "missing_field", "no field custmer_id; is customer_id meant?"),
        ("id", {"name": "Ann", "plan": "free"}, "missing_field", "the value has no field id; it has name, plan"),
        ("id", {}, "missing_field", "it has none at all"),
        ("id", {"payload": {"id": 1}}, "missing_field", "payload, a field of it, has one"),
        ("user.id", {"user": {"id": 1}}, "missing_field", "fields of fields, as in user, are not looked at"),
        ("id", {"id": {"a": 1}}, "wrong_type", "the key, field id, must be a string or a number"),
        ("id", b"\x00\x00\x00\x00\x11\x04c0", "not_json", "the value is Avro or Protobuf of a schema registry"),
        ("id", [1, 2], "not_json", "the value is a JSON array"),
        ("id", b"[" * 100_000, "not_json", "damaged"),
        ("id", b'{"id":"c0","name":"Andr\xe9"}', "not_json", "can't decode byte 0xe9"),
    ],
)
def test_what_has_no_key_is_refused_with_its_cause_and_what_is_there_instead(
    name: str, value: Any, cause: str, said: str
) -> None:
    with pytest.raises(Refused) as refused:
        Field(name, required=True)(record(value))
    assert refused.value.cause == cause
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def event(value: Any) -> SimpleNamespace:
    headers = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    return SimpleNamespace(key=b"k", value=json.dumps(value).encode(), timestamp=0, offset=0, headers=headers)


def test_the_field_of_a_cloud_event_is_one_of_its_data() -> None:
    assert Field("id", required=True)(event({"specversion": "1.0", "id": "e1", "data": {"id": "c0"}})) == b"c0"


def test_a_cloud_event_without_data_is_refused() -> None:
    with pytest.raises(Refused, match="neither data nor data_base64") as refused:
        Field("id", required=True)(event({"specversion": "1.0", "id": "e1"}))
    assert refused.value.cause == "missing_field"
