"""Aggregates as plain functions of all values, and states of the same records made in any way."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import msgspec
from hypothesis import strategies as st

from streamapp.windows.aggregate import LARGEST, Aggregate, Place, batched, removable

#: A value, and where it stands.
Placed: TypeAlias = tuple[Any, Place]

INTEGERS = st.integers(-5, 5) | st.integers(-(1 << 63), (1 << 63) - 1)
FLOATS = st.floats(-LARGEST, LARGEST, allow_subnormal=False) | st.sampled_from([0.1, 1e16, -1e16, 2.0])
NUMBERS = INTEGERS | FLOATS
STRINGS = st.text("ab\0é", max_size=2)
SCALARS = STRINGS | NUMBERS | st.booleans() | st.sampled_from(["1", 1, 1.0, True, "true", ""])


def placed(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Placed]]:
    """Values, some of them null, in the order of their places, of which some have one timestamp."""
    records = st.lists(st.tuples(st.none() | values | values, st.integers(0, 9)), max_size=12)
    return records.map(
        lambda found: [
            (value, Place(timestamp, number))
            for number, (value, timestamp) in enumerate(sorted(found, key=lambda record: record[1]), start=100)
        ]
    )


def state_of(aggregate: Aggregate[Any], records: Sequence[Placed], data: st.DataObject, depth: int = 4) -> Any:
    """Return the state of records, in one way of all that there are to make it."""
    ways = ["add"]
    if depth and batched(aggregate):
        ways.append("add many")
    if depth:
        ways += ["merge", "restart"]
    if depth and removable(aggregate):
        ways.append("remove")
    match data.draw(st.sampled_from(ways)):
        case "add many":
            assert batched(aggregate)
            return aggregate.add_many(aggregate.initial(), [value for value, _ in data.draw(st.permutations(records))])
        case "merge":
            order = data.draw(st.permutations(records))
            cut = data.draw(st.integers(0, len(records)))
            one, other = [state_of(aggregate, part, data, depth - 1) for part in (order[:cut], order[cut:])]
            before = msgspec.msgpack.encode(other)
            merged = aggregate.merge(one, other)
            assert msgspec.msgpack.encode(other) == before
            return merged
        case "restart":
            row = msgspec.msgpack.encode(state_of(aggregate, records, data, depth - 1))
            return msgspec.msgpack.decode(row, type=aggregate.state_type)
        case "remove":
            assert removable(aggregate)
            more = [value for value, _ in records] or [None]
            gone = [
                (data.draw(st.sampled_from(more)), Place(-1, number)) for number in range(data.draw(st.integers(1, 3)))
            ]
            state = state_of(aggregate, [*gone, *records], data, depth - 1)
            for value, place in gone:
                state = aggregate.remove(state, value, place)
            return state
        case _:
            state = aggregate.initial()
            for value, place in data.draw(st.permutations(records)):
                state = aggregate.add(state, value, place)
            return state


def total(values: Sequence[Any]) -> Any:
    exact = sum(map(Fraction, values))
    return None if not values else float(exact) if float in set(map(type, values)) else int(exact)


def least(values: Sequence[Any]) -> Any:
    """Return the smallest value; of equal ones the integer."""
    return min(values, key=lambda value: (value, type(value) is float), default=None)


def greatest(values: Sequence[Any]) -> Any:
    return max(values, key=lambda value: (value, type(value) is int), default=None)


def variance(values: Sequence[Any]) -> Any:
    return float(statistics.variance(_squared(values))) if len(values) > 1 else None


def population_variance(values: Sequence[Any]) -> Any:
    return float(statistics.pvariance(_squared(values))) if values else None


def _squared(values: Sequence[Any]) -> list[Fraction]:
    return [Fraction(value) if abs(value) >= 1e-140 else Fraction(0) for value in values]


def same(value: Any) -> Any:
    """Return something that is equal for values that are the same: 1 and 1.0, and not True or "1"."""
    return (value, type(value) in {int, float}, type(value) is str)


def distinct(values: Sequence[Any]) -> int:
    return len(set(map(same, values)))


def counts(values: Sequence[Any]) -> Counter[Any]:
    return Counter(map(same, values))


#: What the result is of values that are not null, in their order.
Model: TypeAlias = Callable[[Sequence[Any]], Any]
