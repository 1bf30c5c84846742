"""Mending records by expressions: what it does, what it leaves alone, and what is refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.conditions import ConditionError
from streamapp.mending import Draft, MendError, Mending

VALUE = {"id": "o1", "amount": "12.50", "user": {"id": "u1"}, "items": [{"n": 1}, {"n": 2}], "at": 1_700_000_000}


def mended(*, rename: Any = (), set_: Any = (), drop: Any = (), value: Any = VALUE) -> Draft:
    return Mending(rename=rename, set_=set_, drop=drop)(Draft("k", 1_000, value))


@pytest.mark.parametrize(
    ("set_", "field", "expected"),
    [
        ("amount=0", "amount", 0),
        ("amount = -1.5", "amount", -1.5),
        ("amount=number(amount)", "amount", 12.5),
        ("amount=number(amount) * 100", "amount", 1250.0),
        ("at=at * 1000", "at", 1_700_000_000_000),
        ("at=at / 2", "at", 850_000_000),
        ("at=at + 1 - 2", "at", 1_699_999_999),
        ("at=text(at)", "at", "1700000000"),
        ("id='x-' + id", "id", "x-o1"),
        ("paid=true", "paid", True),
        ("gone=null", "gone", None),
        ('tags=["new", id]', "tags", ["new", "o1"]),
        ('user={"id": user.id, "n": items[1].n}', "user", {"id": "u1", "n": 2}),
        ("user.country='DE'", "user", {"id": "u1", "country": "DE"}),
        ("a.b.c=1", "a", {"b": {"c": 1}}),
        ("items[0].n=7", "items", [{"n": 7}, {"n": 2}]),
        ("key=_key", "key", "k"),
        ("time=_time", "time", 1_000),
    ],
)
def test_a_field_is_set(set_: str, field: str, expected: Any) -> None:
    assert mended(set_=[set_]).value == {**VALUE, field: expected}


@pytest.mark.parametrize(
    ("set_", "key", "time"),
    [
        ("_key=user.id", "u1", 1_000),
        ("_key=at", "1700000000", 1_000),
        ("_key=null", None, 1_000),
        ("_time=at * 1000", "k", 1_700_000_000_000),
        ("_time='2026-01-31T12:00:00Z'", "k", 1_769_860_800_000),
        ("_time='2026-01-31T12:00:00'", "k", 1_769_860_800_000),
    ],
)
def test_key_and_event_time_are_set(set_: str, key: str | None, time: int) -> None:
    assert mended(set_=[set_]) == Draft(key, time, VALUE)


def test_fields_are_renamed_set_and_dropped_in_this_order() -> None:
    found = mended(rename=["amount=total"], set_=["total=number(total)", "twice=total * 2"], drop=["items", "user.id"])
    assert found.value == {"id": "o1", "total": 12.5, "twice": 25.0, "user": {}, "at": VALUE["at"]}


def test_what_is_renamed_or_dropped_and_not_there_is_left_alone() -> None:
    assert (
        mended(rename=["gone=here", "user.gone=x"], drop=["gone", "user.gone", "gone.more", "items[9]"]).value == VALUE
    )


def test_a_key_may_be_dropped() -> None:
    assert mended(drop=["_key"]).key is None


def test_the_record_that_was_given_stays_as_it_is() -> None:
    before = Draft("k", 1_000, json.loads(json.dumps(VALUE)))
    Mending(set_=["user.id=1", "items[0].n=5"], drop=["at"])(before)
    assert before.value == VALUE


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"set_": ["x=gone"]}, "gone is missing, or null"),
        ({"set_": ["x=number(id)"]}, "'o1' is no number"),
        ({"set_": ["x=id * 2"]}, "'o1' is no number, as * needs"),
        ({"set_": ["x=at / 0"]}, "cannot be divided by 0"),
        ({"set_": ["x=number('1e999')"]}, "'1e999' is no number"),
        ({"set_": ["id.x=1"]}, "there is no place for id.x"),
        ({"set_": ["items[5]=1"]}, "there is no place for"),
        ({"set_": ["_time=id"]}, "'o1' is no time"),
        ({"set_": ["_time=-1"]}, "no event time"),
        ({"set_": ["_time=1.5"]}, "no event time"),
        ({"set_": ["_key=1.5"]}, "1.5 is no key"),
        ({"rename": ["amount=id"]}, "it has both amount and id"),
    ],
)
def test_a_record_that_lacks_what_is_needed_is_refused(change: Any, why: str) -> None:
    with pytest.raises(MendError, match=re.escape(why)):
        mended(**change)


@pytest.mark.parametrize("value", [None, "text", 7])
def test_a_value_that_is_no_object_has_no_fields(value: Any) -> None:
    with pytest.raises(MendError, match="no JSON object"):
        mended(set_=["a=1"], value=value)


@pytest.mark.parametrize(
    "change",
    [
        {"set_": ["amount"]},
        {"set_": ["=1"]},
        {"set_": ["a==1"]},
        {"set_": ["a=__import__('os').system('true')"]},
        {"set_": ["a=open('x')"]},
        {"set_": ["a=amount if id else 1"]},
        {"set_": ["a=[x for x in items]"]},
        {"set_": ["a=9 ** 9"]},
        {"set_": ["a='x' % id"]},
        {"set_": ["a={id: 1}"]},
        {"set_": ["f(x)=1"]},
        {"set_": ["a=" + "(" * 60 + "1" + ")" * 60 + "+1" * 60]},
        {"drop": ["1 + 1"]},
        {"drop": ["_time"]},
        {"rename": ["a"]},
        {"rename": ["_key=a"]},
    ],
)
def test_what_is_no_expression_is_refused_at_once(change: Any) -> None:
    with pytest.raises(ConditionError):
        Mending(**change)


@given(st.text(max_size=60))
def test_whatever_the_text_it_is_an_expression_or_refused(text: str) -> None:
    try:
        mending = Mending(set_=[f"a={text}"])
    except ConditionError:
        return
    try:
        found = mending(Draft("k", 1_000, dict(VALUE)))
    except MendError:
        return
    json.dumps(found.value, allow_nan=False)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**70), 2**70)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    )
)
def test_a_constant_of_json_is_set_as_it_is(value: Any) -> None:
    assert mended(set_=[f"x={json.dumps(value)}"]).value["x"] == value
