"""Steps without a state: what they make of records, and what becomes of a record at which one fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streamapp.functions.record import TypedRecord, typed
from streamapp.functions.steps import Branch, Filter, FlatMap, Map, Rekey, Step, Tree
from streamapp.joins import Event


def record(value: Any, key: bytes | None = b"k", at: int = 5) -> TypedRecord[Any]:
    return typed(Event(key, b"as it came", at, 7), value, [("h", b"1")])


def failing(_record: TypedRecord[Any], error: Exception) -> None:
    raise error


def made(step: Step, *values: Any) -> list[Any]:
    return [one.value for one in step([record(value) for value in values], failing)]


def test_map_keeps_key_time_headers_and_place_unless_it_gives_others() -> None:
    same, other = Map(lambda one: one.value + 1)([record(1)], failing)[0], TypedRecord("text", 2, 9)  # type: ignore[arg-type]
    assert (same.key, same.value, same.timestamp, same.headers, same.offset) == (b"k", 2, 5, [("h", b"1")], 7)
    (found,) = Map(lambda _: other)([record(1)], failing)
    assert (found.key, found.value, found.timestamp, found.headers, found.offset) == (b"text", 2, 9, (), 7)


def test_what_a_filter_lets_through_is_as_it_came_and_what_a_map_gives_is_not() -> None:
    assert Filter(lambda one: one.value)([record(1), record(0)], failing)[0].encoded == b"as it came"
    (changed,) = Map(lambda one: one)([record({"n": 1})], failing)
    assert changed.encoded is None


def test_flat_map_gives_any_number_of_records_for_each() -> None:
    assert made(FlatMap(lambda one: range(one.value)), 2, 3) == [0, 1, 0, 1, 2]


@pytest.mark.parametrize("result", ["text", b"bytes", {"a": 1}])
def test_flat_map_does_not_take_one_value_for_many(result: Any) -> None:
    with pytest.raises(TypeError, match="flat_map takes a list of results for each record"):
        made(FlatMap(lambda _: result), 1)


def test_a_record_goes_to_the_first_branch_whose_condition_holds() -> None:
    conditions: list[Callable[[TypedRecord[Any]], object]] = [lambda one: one.value > 5, lambda one: one.value > 2]
    every = [*conditions, lambda _one: True]
    assert [made(Branch(every, number), 1, 3, 6) for number in range(3)] == [[6], [3], [1]]


def test_a_record_without_a_value_is_handed_on_and_no_function_sees_it() -> None:
    def never(one: TypedRecord[Any]) -> Any:
        raise AssertionError(one)

    for step in (Map(never), Filter(never), FlatMap(never), Branch([never], 0)):
        assert made(step, None) == [None]


def test_records_at_which_a_step_fails_are_given_back_with_the_error_and_others_go_on() -> None:
    told: list[tuple[Any, str]] = []

    def inverse(one: TypedRecord[Any]) -> float:
        return 6 / one.value

    for step in (Map(inverse), Filter(inverse), FlatMap(lambda one: [inverse(one)]), Branch([inverse], 0)):
        found = step([record(1), record(0), record(2)], lambda one, error: told.append((one.value, str(error))))
        assert len(found) == 2
    assert told == [(0, "division by zero")] * 4


def test_a_key_is_made_of_the_record_as_it_is_sent_and_a_record_without_a_value_has_none() -> None:
    told: list[str] = []
    step = Rekey(lambda sent: sent.value, lambda one: one.encoded)
    found = step([record(1), TypedRecord(b"k", None, 5)], lambda _, error: told.append(str(error)))
    assert [one.key for one in found] == [b"as it came"]
    assert told == ["it has no value, and so nothing in it to go by"]


def test_steps_that_several_ways_have_in_common_run_once() -> None:
    calls: list[int] = []
    common, tree = Map(lambda one: calls.append(one.value) or one.value), Tree[str]()  # type: ignore[func-returns-value]
    for name in ("a", "b"):
        tree.add((common, Map(lambda one, name=name: f"{name}{one.value}")), name)  # type: ignore[misc]
    tree.add((common,), "c")
    ends = {end: [one.value for one in records] for end, records in tree.run([record(1), record(2)], failing)}
    assert ends == {"c": [1, 2], "a": ["a1", "a2"], "b": ["b1", "b2"]}
    assert calls == [1, 2]
