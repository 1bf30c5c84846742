"""Each aggregate tells what its model tells, however a state came about: added, merged, removed from, restarted."""

from __future__ import annotations

import math
from typing import Any

import aggregate_models as model
import msgspec
import pytest
from aggregate_models import NUMBERS, SCALARS, STRINGS, Model, placed, state_of
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.windows.aggregate import Aggregate, Place, batched, mergeable, removable, value_of
from streamapp.windows.count import Count
from streamapp.windows.extremes import Max, Min
from streamapp.windows.frequencies import ApproxTopK, Distinct, TopK
from streamapp.windows.numbers import Mean, Sum
from streamapp.windows.order import Collect, First, Last
from streamapp.windows.sketches import ApproxDistinct, Quantiles
from streamapp.windows.variance import StdDev, Variance

#: Aggregates with what they take and their models.
EXACT: list[tuple[Aggregate[Any], st.SearchStrategy[Any], Model]] = [
    (Count("x"), SCALARS, len),
    (Sum("x"), NUMBERS, model.total),
    (Min("x"), NUMBERS, model.least),
    (Max("x"), NUMBERS, model.greatest),
    (Min("x", text=True), STRINGS, model.least),
    (Max("x", text=True), STRINGS, model.greatest),
    (Variance("x"), NUMBERS, model.variance),
    (Variance("x", population=True), NUMBERS, model.population_variance),
    (First("x"), SCALARS, lambda values: values[0] if values else None),
    (Last("x"), SCALARS, lambda values: values[-1] if values else None),
    (Collect("x"), SCALARS, list),
    (Distinct("x"), SCALARS, model.distinct),
    (ApproxDistinct("x"), SCALARS, model.distinct),
]
ALL = [aggregate for aggregate, _, _ in EXACT] + [
    Count(),
    Mean("x"),
    StdDev("x"),
    TopK("x", k=3),
    ApproxTopK("x", k=3),
    Quantiles("x"),
]


@pytest.mark.parametrize(("aggregate", "values", "expected"), EXACT, ids=[str(exact[0]) for exact in EXACT])
@settings(deadline=None)
@given(data=st.data())
def test_a_result_is_that_of_the_values_however_its_state_was_made(
    aggregate: Aggregate[Any], values: st.SearchStrategy[Any], expected: Model, data: st.DataObject
) -> None:
    records = data.draw(placed(values))
    result = aggregate.result(state_of(aggregate, records, data))
    told = expected([value for value, _ in records if value is not None])
    assert result == told
    assert type(result) is type(told)


@pytest.mark.parametrize("aggregate", [one for one in ALL if batched(one)], ids=str)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_all_values_at_once_give_what_their_state_does(aggregate: Aggregate[Any], data: st.DataObject) -> None:
    assert batched(aggregate)
    taken = STRINGS if aggregate.takes is str else NUMBERS
    values = data.draw(st.lists(taken | st.none(), min_size=1) | st.lists(st.floats(-9, 9), min_size=1))
    at_once = value_of(aggregate)(values)
    expected = aggregate.result(state_of(aggregate, [(value, Place(0, n)) for n, value in enumerate(values)], data))
    assert (at_once, type(at_once)) == (expected, type(expected))


@settings(deadline=None)
@given(st.data())
def test_count_without_a_field_counts_all_records(data: st.DataObject) -> None:
    records = data.draw(placed(SCALARS))
    assert Count().result(state_of(Count(), [(None, place) for _, place in records], data)) == len(records)


@settings(deadline=None)
@given(st.data())
def test_a_mean_is_the_sum_by_the_count(data: st.DataObject) -> None:
    records = data.draw(placed(NUMBERS))
    values = [value for value, _ in records if value is not None]
    mean = Mean("x").result(state_of(Mean("x"), records, data))
    assert mean == (model.total(values) / len(values) if values else None)


@settings(deadline=None)
@given(st.data())
def test_the_standard_deviation_is_the_root_of_the_variance(data: st.DataObject) -> None:
    records = data.draw(placed(NUMBERS))
    variance = model.variance([value for value, _ in records if value is not None])
    deviation = StdDev("x").result(state_of(StdDev("x"), records, data))
    assert deviation == (None if variance is None else math.sqrt(variance))


@pytest.mark.parametrize("aggregate", [TopK("x", k=3), ApproxTopK("x", k=3)], ids=str)
@settings(deadline=None)
@given(data=st.data())
def test_top_k_tells_the_most_frequent_values_and_how_often_they_are_there(
    aggregate: Aggregate[Any], data: st.DataObject
) -> None:
    records = data.draw(placed(SCALARS))
    counts = model.counts([value for value, _ in records if value is not None])
    told = aggregate.result(state_of(aggregate, records, data))
    assert [top["count"] for top in told] == [count for _, count in counts.most_common(3)]
    assert all(counts[model.same(top["value"])] == top["count"] for top in told)


@settings(deadline=None)
@given(st.data())
def test_few_numbers_have_exact_quantiles(data: st.DataObject) -> None:
    records = data.draw(placed(NUMBERS))
    aggregate = Quantiles("x", (0, 0.5, 1))
    values = sorted(float(value) for value, _ in records if value is not None)
    told = aggregate.result(state_of(aggregate, records, data))
    assert told == ([values[0], values[(len(values) - 1) // 2], values[-1]] if values else None)


@settings(deadline=None)
@given(st.data())
def test_collect_keeps_the_last_values_and_tells_how_many_are_left_out(data: st.DataObject) -> None:
    records = data.draw(placed(SCALARS))
    aggregate = Collect("x", at_most=3)
    values = [value for value, _ in records if value is not None]
    told = aggregate.result(state_of(aggregate, records, data))
    assert told == (values if len(values) <= 3 else {"left_out": len(values) - 3, "last": values[-3:]})


@pytest.mark.parametrize("aggregate", ALL, ids=str)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_result_is_of_what_json_can_write_and_leaves_the_state_as_it_is(
    aggregate: Aggregate[Any], data: st.DataObject
) -> None:
    state = state_of(aggregate, data.draw(placed(STRINGS if aggregate.takes is str else NUMBERS)), data)
    before = msgspec.msgpack.encode(state)
    result = aggregate.result(state)
    assert msgspec.json.decode(msgspec.json.encode(result)) == result
    assert msgspec.msgpack.encode(state) == before


@pytest.mark.parametrize("aggregate", ALL, ids=str)
def test_null_counts_for_nothing_but_count(aggregate: Aggregate[Any]) -> None:
    empty = aggregate.result(aggregate.initial())
    with_null = aggregate.result(aggregate.add(aggregate.initial(), None, Place(0, 0)))
    assert with_null == (1 if aggregate == Count() else empty)


def test_what_can_be_removed_is_what_is_exact() -> None:
    assert {type(aggregate) for aggregate in ALL if removable(aggregate)} == {
        *(Count, Sum, Mean, Variance, StdDev, Distinct, TopK, Collect),
    }
    assert all(map(mergeable, ALL))


@pytest.mark.parametrize(
    ("aggregate", "text"),
    [
        (Count(), "Count()"),
        (Count("ip"), 'Count("ip")'),
        (Sum("order.amount"), 'Sum("order.amount")'),
        (Max("name", text=True), 'Max("name", text=True)'),
        (Variance("x", population=True), 'Variance("x", population=True)'),
        (Quantiles("ms", (0.5, 0.9)), 'Quantiles("ms", ranks=(0.5, 0.9))'),
        (TopK("ip", 3), 'TopK("ip", k=3)'),
        (Collect("ip", at_most=3), 'Collect("ip", at_most=3)'),
    ],
)
def test_its_text_says_what_an_aggregate_is(aggregate: Aggregate[Any], text: str) -> None:
    assert str(aggregate) == text


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: TopK("ip", 0), "k must be at least 1"),
        (lambda: ApproxTopK("ip", 0), "k must be at least 1"),
        (lambda: ApproxTopK("ip", error=0), "the error must be between 0 and 1"),
        (lambda: ApproxDistinct("ip", error=1), "the error must be between 0.001 and 0.2"),
        (lambda: Quantiles("ms", error=0), "the error must be between 0.0001 and 0.2"),
        (lambda: Quantiles("ms", (50,)), "ranks must be from 0 to 1"),
        (lambda: Quantiles("ms", ()), "ranks must be from 0 to 1"),
        (lambda: Collect("ip", at_most=0), "at_most must be at least 1"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()
