"""Sums are exact: nothing that was added and removed leaves a trace, and the order of records makes no difference."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from streamapp.windows.aggregate import Aggregate, Place
from streamapp.windows.numbers import Mean, Sum
from streamapp.windows.variance import Variance

PLACE = Place(0, 0)


def added(aggregate: Aggregate[Any], *values: float) -> Any:
    state = aggregate.initial()
    for value in values:
        state = aggregate.add(state, value, PLACE)
    return state


def result(aggregate: Aggregate[Any], *values: float) -> Any:
    return aggregate.result(added(aggregate, *values))


def test_ten_times_a_tenth_is_one() -> None:
    assert result(Sum("x"), *[0.1] * 10) == 1.0


def test_a_small_number_outlasts_a_large_one_that_is_removed() -> None:
    state = added(Sum("x"), 1e100, 0.1, 1e16)
    for value in (1e16, 1e100):
        state = Sum("x").remove(state, value, PLACE)
    assert Sum("x").result(state) == 0.1


def test_integers_are_summed_beyond_64_bits() -> None:
    largest = (1 << 63) - 1
    state = added(Sum("x"), *[largest] * 1000)
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=Sum.state_type)
    assert Sum("x").result(kept) == 1000 * largest
    for _ in range(999):
        kept = Sum("x").remove(kept, largest, PLACE)
    assert Sum("x").result(kept) == largest


def test_integers_and_floats_make_a_float_until_the_floats_are_removed() -> None:
    state = added(Sum("x"), 1, 2.5)
    assert repr(Sum("x").result(state)) == "3.5"
    assert repr(Sum("x").result(Sum("x").remove(state, 2.5, PLACE))) == "1"


def test_a_large_integer_and_a_small_float_are_rounded_once() -> None:
    assert result(Sum("x"), (1 << 53) + 1, 0.5, 0.5) == float((1 << 53) + 2)


def test_the_order_of_floats_makes_no_difference_to_the_last_bit() -> None:
    generator = random.Random(17)
    values = [generator.uniform(-1, 1) * 10 ** generator.randrange(-100, 100) for _ in range(1000)]
    told = {result(Sum("x"), *sorted(values, key=key)) for key in (float, abs, str, hash)}
    assert len(told) == 1


def test_a_sum_of_floats_that_come_and_go_does_not_drift() -> None:
    generator = random.Random(17)
    total = Sum("x")
    state, window = total.initial(), []
    for _ in range(20_000):
        window.append(generator.uniform(0, 1000) * 10 ** generator.randrange(-6, 7))
        state = total.add(state, window[-1], PLACE)
        if len(window) > 10:
            state = total.remove(state, window.pop(0), PLACE)
    assert total.result(state) == result(total, *window)
    for value in window:
        state = total.remove(state, value, PLACE)
    assert total.result(state) is None
    assert len(msgspec.msgpack.encode(state)) < 50


def test_the_state_of_a_sum_stays_small() -> None:
    generator = random.Random(17)
    amounts = [round(generator.uniform(0, 1000), 2) for _ in range(10_000)]
    assert len(msgspec.msgpack.encode(added(Sum("x"), *amounts))) < 40
    assert len(msgspec.msgpack.encode(added(Variance("x"), *amounts))) < 90


@pytest.mark.parametrize("offset", [0, 1e9, 1e15])
def test_the_variance_of_numbers_close_together_far_from_zero_is_exact(offset: float) -> None:
    assert result(Variance("x"), offset + 1, offset + 2, offset + 3) == 1.0


def test_the_variance_forgets_an_outlier() -> None:
    state = added(Variance("x"), 1.0, 1e12, 2.0, 3.0)
    assert Variance("x").result(Variance("x").remove(state, 1e12, PLACE)) == 1.0


def test_a_sample_of_one_has_no_variance_and_a_population_of_one_has_none_of_it() -> None:
    assert result(Variance("x"), 5) is None
    assert result(Variance("x", population=True), 5) == 0


def test_the_mean_of_integers_is_a_float() -> None:
    assert repr(result(Mean("x"), 1, 3)) == "2.0"
