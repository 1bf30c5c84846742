"""The wire format: strict where a field is declared, lenient where none is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.models import Click, Joined, Profile, Unmatched, UnmatchedReason

PROFILE = {"user_id": "u1", "name": "Ada Lovelace"}
CLICK = {"click_id": "c1", "user_id": "u1", "url": "https://shop.example.com/"}


def decode(value: Any, model: type) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value), type=model)


@pytest.mark.parametrize(("value", "model"), [(PROFILE, Profile), (CLICK, Click)])
def test_the_required_fields_are_enough(value: dict[str, str], model: type) -> None:
    decoded = decode(value, model)

    assert {name: getattr(decoded, name) for name in value} == value


@pytest.mark.parametrize(
    ("value", "model", "field"),
    [(value, model, field) for value, model in ((PROFILE, Profile), (CLICK, Click)) for field in value],
)
def test_a_required_field_that_is_missing_is_named(value: dict[str, str], model: type, field: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=f"`{field}`"):
        decode({name: text for name, text in value.items() if name != field}, model)


@pytest.mark.parametrize("wrong", [17, 1.5, True, None, [], {}])
@pytest.mark.parametrize(
    ("value", "model", "field"),
    [(value, model, field) for value, model in ((PROFILE, Profile), (CLICK, Click)) for field in value],
)
def test_a_field_of_the_wrong_type_is_named_by_its_path(
    value: dict[str, str], model: type, field: str, wrong: Any
) -> None:
    with pytest.raises(msgspec.ValidationError, match=rf"\$\.{field}"):
        decode(value | {field: wrong}, model)


@pytest.mark.parametrize(("value", "model"), [(PROFILE, Profile), (CLICK, Click)])
def test_an_empty_user_id_is_refused(value: dict[str, str], model: type) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.user_id"):
        decode(value | {"user_id": ""}, model)


def test_the_timestamp_of_a_click_is_whole_milliseconds() -> None:
    assert decode(CLICK | {"timestamp": 1_763_000_000_000}, Click).timestamp == 1_763_000_000_000
    with pytest.raises(msgspec.ValidationError, match=r"\$\.timestamp"):
        decode(CLICK | {"timestamp": "yesterday"}, Click)


@settings(deadline=None)
@given(st.dictionaries(st.text(), st.none() | st.integers(-(2**53), 2**53) | st.text() | st.lists(st.text())))
def test_unknown_fields_are_allowed(extra: dict[str, Any]) -> None:
    unknown = {name: value for name, value in extra.items() if name not in Click.__struct_fields__}

    assert decode(unknown | CLICK, Click) == decode(CLICK, Click)


def test_a_joined_record_gives_back_the_bytes_of_its_inputs() -> None:
    click, profile = b'{"click_id": "c1",  "extra":[1.50]}', b'{"user_id":"u1","name":"\\u00e9"}'
    value = b'{"click":' + click + b',"profile":' + profile + b',"join_timestamp":1763000000.25}'

    joined = msgspec.json.decode(value, type=Joined)

    assert (bytes(joined.click), bytes(joined.profile)) == (click, profile)
    assert joined.join_timestamp == 1763000000.25


def test_a_joined_record_without_a_profile_has_null_for_it() -> None:
    joined = msgspec.json.decode(b'{"click":{},"profile":null,"join_timestamp":1}', type=Joined)

    assert bytes(joined.profile) == b"null"


@pytest.mark.parametrize("reason", list(UnmatchedReason))
def test_an_unmatched_record_says_why(reason: UnmatchedReason) -> None:
    assert decode({"click": CLICK, "reason": reason.value}, Unmatched).reason is reason


def test_an_unmatched_record_has_no_other_reason() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.reason"):
        decode({"click": CLICK, "reason": "bored"}, Unmatched)
