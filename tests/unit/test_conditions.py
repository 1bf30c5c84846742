"""Conditions on rows: what holds, what is null, and what is no condition."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.conditions import ConditionError, Seen, condition

ROW = {
    "amount": 150,
    "country": "DE",
    "paid": True,
    "left": None,
    "address": {"city": "Kiel", "zip": 24103},
    "rate": 0.5,
    "user": {"first-name": "Anna", "tags": ["new", "vip"]},
}


def holds(text: str, value: Any = ROW, key: str = "u1", time: int = 1_000) -> bool:
    return condition(text)(Seen(key, time, value))


@pytest.mark.parametrize(
    "text",
    [
        "amount > 100",
        "amount >= 150 and amount <= 150.0",
        "100 < amount < 200",
        "country == 'DE'",
        'country in ["FR", "DE"]',
        "country not in ('FR',)",
        "not amount < 100",
        "amount < 100 or paid",
        "paid == true and paid != 1",
        "left == null and gone == null",
        "amount != null",
        "address.city == 'Kiel' and address.zip > 24000",
        "rate > -1",
        'user["first-name"] == "Anna"',
        'user.tags[0] == "new" and user.tags[-1] == "vip"',
        '"vip" in user.tags and "old" not in user.tags',
        "_key == 'u1' and _time == 1000",
        "_key >= 'u' and _key < 'v'",
        "(amount > 100\n and rate < 1)",
    ],
)
def test_it_holds(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "amount > 200",
        "gone > 1",
        "left < 1",
        "country > 5",
        "amount == '150'",
        "amount",
        "address.city.street == 'x'",
        "paid > false",
        "rate in [1, '0.5']",
        "user.tags[5] == 'x'",
        "'new' in user",
    ],
)
def test_it_does_not_hold(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("amount > > 1", "column 10: invalid syntax"),
        ("amount + 1 > 2", "column 1: amount + 1 is not for conditions"),
        ("f(x) == 1", "column 1: f(x) is not for conditions"),
        ("__import__('os')", "column 1: __import__('os') is neither true nor false"),
        ("'text'", "column 1: 'text' is neither true nor false"),
        ("amount is 5", "column 11: compare by == and !="),
        ("country in 'DE'", "column 12: in needs values in brackets"),
        ("amount = 1", "column 8: invalid syntax; one = is written =="),
        ("user[1.5] == 1", "column 6: in brackets is the name of a field"),
        ("country in [x]", "column 13: x is not for conditions"),
        ("x == 1j", "column 6: 1j is not for conditions"),
        ("", "column 1: invalid syntax"),
        ("a\0b", ""),
        ("x == 1 or " * 300 + "y", "it has 3,001 characters, and may have 2,000"),
        ("not " * 60 + "x", "column 205: it is too deep"),
    ],
)
def test_what_is_no_condition_is_told_in_one_line(text: str, error: str) -> None:
    with pytest.raises(ConditionError) as raised:
        condition(text)
    assert str(raised.value).startswith(error)
    assert "\n" not in str(raised.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "b", "amount"]), inner),
)


@given(VALUES, st.sampled_from(["a < 1", "a.b == 'x' or amount >= 2", "not b in [1, null, 'x']", "a == b", "a < b"]))
def test_a_condition_holds_or_not_for_any_json(value: Any, text: str) -> None:
    assert holds(text, value) in {True, False}


@given(st.text(max_size=30))
def test_any_text_is_a_condition_or_told_why_not(text: str) -> None:
    told = ""
    try:
        condition(text)(Seen("", 0, ROW))
    except ConditionError as error:
        told = str(error)
    assert "\n" not in told
