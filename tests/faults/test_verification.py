"""The comparison with the set model sees what is lost, doubled or made up, and knows which guarantee allows what."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
from verification import Findings, compare

ALLOWED = {"at_least_once": {"doubled", "counted_twice"}, "exactly_once": set()}


def test_each_missing_result_is_lost() -> None:
    assert compare({"a", "b", "c"}, Counter("b")) == Findings(lost=2)


def test_each_further_result_for_the_same_input_is_doubled() -> None:
    assert compare({"a", "b"}, Counter("abaa")) == Findings(doubled=2)


def test_a_result_of_no_input_is_unknown() -> None:
    assert compare({"a"}, Counter("axx")) == Findings(unknown=2)


@pytest.mark.parametrize("guarantee", ALLOWED)
@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Findings)])
def test_a_guarantee_allows_what_it_says_and_nothing_else(guarantee: str, field: str) -> None:
    assert Findings().keeps(guarantee)
    assert Findings(**{field: 1}).keeps(guarantee) == (field in ALLOWED[guarantee])
