"""Aggregates that are made of a user's functions."""

from __future__ import annotations

from typing import Any

import pytest
from aggregate_models import placed, state_of
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.windows.aggregate import Place, mergeable, removable
from streamapp.windows.own import Own

PLACE = Place(0, 0)


def xor(**more: Any) -> Own[int]:
    return Own("x", name="xor", initial=int, add=lambda state, value: state ^ value, state_type=int, **more)


@settings(deadline=None)
@given(st.data())
def test_its_functions_make_and_merge_states_and_remove_values_from_them(data: st.DataObject) -> None:
    own = xor(merge=lambda state, other: state ^ other, remove=lambda state, value: state ^ value, result=hex)
    records = data.draw(placed(st.integers(0, 255)))
    expected = 0
    for value, _ in records:
        expected ^= value or 0
    assert own.result(state_of(own, records, data)) == hex(expected)


def test_without_functions_for_it_it_neither_merges_nor_removes() -> None:
    assert not mergeable(xor())
    assert not removable(xor())
    assert mergeable(xor(merge=max))
    assert removable(xor(remove=max))


def test_null_is_not_given_to_its_functions() -> None:
    own = xor(remove=max)
    assert own.add(5, None, PLACE) == 5
    assert own.remove(5, None, PLACE) == 5


def test_its_text_has_its_name_and_not_its_functions() -> None:
    assert str(xor()) == 'Own("x", name="xor")'


@pytest.mark.parametrize(
    ("initial", "state_type", "said"),
    [
        (str, int, "Expected `int`, got `str`"),
        (lambda: 1 << 64, int, "can't serialize ints"),
        (object, Any, "Encoding objects of type object is unsupported"),
    ],
)
def test_a_state_that_cannot_be_kept_is_refused_when_it_is_declared(initial: Any, state_type: Any, said: str) -> None:
    with pytest.raises(ValueError, match=f'Own\\("x", name="n"\\): initial\\(\\) returns no state .*: {said}'):
        Own("x", name="n", initial=initial, add=lambda state, _: state, state_type=state_type)
