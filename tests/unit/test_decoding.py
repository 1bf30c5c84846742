"""Which records can be used, and what is wrong with the others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streamapp.batching.batch import Batch
from streamapp.batching.dead_letters import Reason
from streamapp.batching.decoding import Decoder, Undecodable
from streamapp.models import Click, Profile

clicks = Decoder(Click, key=lambda click: click.user_id)
profiles = Decoder(Profile, key=lambda profile: profile.user_id, tombstones=True)

GOOD = b'{"click_id":"c","user_id":"u","url":"/"}'


def record(value: bytes | None, key: bytes | None = b"u", headers: Any = ()) -> Any:
    return SimpleNamespace(key=key, value=value, headers=headers)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (record(b"{"), Reason.NOT_JSON),
        (record(b'{"click_id":"c","user_id":"u","url":"/","more":"\xff"}'), Reason.NOT_JSON),
        (record(b"[]"), Reason.WRONG_TYPE),
        (record(b'{"click_id":"c","user_id":"u"}'), Reason.MISSING_FIELD),
        (record(b'{"click_id":1,"user_id":"u","url":"/"}'), Reason.WRONG_TYPE),
        (record(GOOD, key=None), Reason.NULL_KEY),
        (record(GOOD, key=b"v"), Reason.KEY_MISMATCH),
        (record(None), Reason.TOMBSTONE),
        (record(GOOD, headers=[("content-type", b"text/plain")]), Reason.UNKNOWN_CODEC),
    ],
)
def test_a_bad_click_is_told_with_its_reason(bad: Any, reason: Reason) -> None:
    with pytest.raises(Undecodable) as error:
        clicks.decode(bad)
    assert error.value.reason is reason


def test_fields_that_are_not_declared_are_allowed() -> None:
    assert clicks.decode(record(b'{"click_id":"c","user_id":"u","url":"/","more":[1,{"x":null}]}')).click_id == "c"


def test_a_json_content_type_is_allowed() -> None:
    assert clicks.decode(record(GOOD, headers=[("content-type", b"application/json; charset=utf-8")])).click_id == "c"


def test_a_tombstone_of_a_profile_is_good() -> None:
    assert profiles.decode(record(None)) is None


@given(st.lists(st.binary(max_size=60) | st.just(GOOD)))
def test_every_record_is_either_good_or_bad_and_in_order(values: list[bytes]) -> None:
    batch = Batch(TP("clicks", 0), [record(value) for value in values])
    good, bad = clicks.split(batch)
    kept = list(good)
    rejected = [one.record for one in bad]
    assert [entry for entry in batch if entry in kept] == kept
    assert len(kept) + len(rejected) == len(values)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (record(b'{"more":' * 20_000), Reason.NOT_JSON),
        (record(GOOD, headers=[("content-type", None)]), Reason.UNKNOWN_CODEC),
    ],
    ids=["nested too deeply", "a header without a value"],
)
def test_what_python_stumbles_over_is_a_bad_record_too(bad: Any, reason: Reason) -> None:
    with pytest.raises(Undecodable) as error:
        clicks.decode(bad)
    assert error.value.reason is reason
