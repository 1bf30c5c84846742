"""Conditions on the value of a record, as `streamapp topic --where` has them."""

from __future__ import annotations

from typing import Any

import pytest

from streamapp.browse.conditions import ConditionError, condition

VALUE = {
    "amount": 120,
    "name": "Anna",
    "user": {"id": 7, "first-name": "Anna", "tags": ["new", "vip"]},
    "none": None,
    "paid": True,
}


@pytest.mark.parametrize(
    "text",
    [
        "amount > 100",
        "100 < amount <= 120",
        "amount / 2 == 60 and amount - 20 == 100 and amount * 2 + 1 == 241",
        'name == "Anna"',
        'name in ["Anna", "Bert"]',
        '"nn" in name',
        "user.id == 7",
        'user["first-name"] == name',
        'user.tags[0] == "new" and user.tags[-1] == "vip"',
        '"vip" in user.tags',
        "paid",
        "not (amount < 100 or name == 'Bert')",
        "none is None and nothing is None and amount is not None",
        "-amount < -100",
        "amount\n> 100",
    ],
)
def test_a_condition_that_holds(text: str) -> None:
    assert condition(text)(VALUE)


@pytest.mark.parametrize(
    "text",
    ["nothing > 1", "nothing != 1", "none == 0", "name > 1", "amount / 0 > 0", "user.id.x == 7", "user.tags[5] == 1",
     "amount in 5", "name + 1 == 2", "-name < 0"],
)  # fmt: skip
def test_what_is_null_or_has_no_order_does_not_hold(text: str) -> None:
    assert not condition(text)(VALUE)


@pytest.mark.parametrize("value", [None, 5, "text", [1], {}])
def test_a_value_without_fields_has_none_that_hold(value: Any) -> None:
    assert not condition("amount > 1")(value)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("amount > > 1", "column 10: invalid syntax"),
        ("amount = 1", "one = is written =="),
        ("open('x')", "column 1: open('x') is not for conditions"),
        ("a and (lambda: 1)", "column 8: lambda: 1 is not for conditions"),
        ("a ** 2 > 1", "column 1: a ** 2 is not for conditions"),
        ("", "column 1: invalid syntax"),
        ("a\0", "cannot be read|null"),
        ("-" * 60 + "a", "too deep"),
    ],
)
def test_what_is_no_condition_is_told_with_its_place(text: str, error: str) -> None:
    with pytest.raises(ConditionError) as raised:
        condition(text)
    assert any(part in str(raised.value) for part in error.split("|"))
