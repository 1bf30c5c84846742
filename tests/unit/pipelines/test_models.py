"""The wire format: strict where a field is declared, lenient where none is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.joins import Reason
from streamapp.pipelines.clicks.models import Click, Joined, Profile, Unmatched


def decode(value: Any, model: type) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value), type=model)


@pytest.mark.parametrize("model", [Click, Profile])
@pytest.mark.parametrize("user", ["u1", "ü", 7, -7, 1 << 80])
def test_a_user_id_is_enough(user: str | int, model: type) -> None:
    assert decode({"user_id": user}, model).user_id == user


@pytest.mark.parametrize("model", [Click, Profile])
def test_a_user_id_that_is_missing_is_named(model: type) -> None:
    with pytest.raises(msgspec.ValidationError, match="`user_id`"):
        decode({"name": "Ada Lovelace"}, model)


@pytest.mark.parametrize("model", [Click, Profile])
@pytest.mark.parametrize("wrong", ["", 1.5, True, None, [], {}])
def test_a_user_id_of_a_wrong_type_is_named_by_its_path(wrong: Any, model: type) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.user_id"):
        decode({"user_id": wrong}, model)


@settings(deadline=None)
@given(st.dictionaries(st.text(), st.none() | st.integers(-(2**53), 2**53) | st.text() | st.lists(st.text())))
def test_other_fields_are_allowed(extra: dict[str, Any]) -> None:
    assert decode({**extra, "user_id": "u1"}, Click) == Click("u1")


def test_a_joined_record_gives_back_the_bytes_of_its_inputs() -> None:
    click, profile = b'{"click_id": "c1",  "extra":[1.50]}', b'{"user_id":"u1","name":"\\u00e9"}'
    value = b'{"click":' + click + b',"profile":' + profile + b',"join_timestamp":1763000000.25}'

    joined = msgspec.json.decode(value, type=Joined)

    assert (bytes(joined.click), bytes(joined.profile)) == (click, profile)
    assert joined.join_timestamp == 1763000000.25


def test_a_joined_record_without_a_profile_has_null_for_it() -> None:
    joined = msgspec.json.decode(b'{"click":{},"profile":null,"join_timestamp":1}', type=Joined)

    assert bytes(joined.profile) == b"null"


@pytest.mark.parametrize("reason", [Reason.UNMATCHED, Reason.EXPIRED])
def test_an_unmatched_record_says_why(reason: Reason) -> None:
    assert decode({"click": {"user_id": "u1"}, "reason": reason.value}, Unmatched).reason is reason


def test_an_unmatched_record_has_no_other_reason() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.reason"):
        decode({"click": {"user_id": "u1"}, "reason": "bored"}, Unmatched)
