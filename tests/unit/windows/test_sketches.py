"""What is estimated is as close as is told, on a hundred thousand values."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from streamapp import extras
from streamapp.extras import MissingExtraError
from streamapp.windows.aggregate import Batched
from streamapp.windows.frequencies import ApproxTopK
from streamapp.windows.sketches import ApproxDistinct, Quantiles

VALUES = 100_000


def state_of(aggregate: Batched[Any], values: Sequence[Any], batch: int = 1_000, merged: bool = False) -> Any:
    state = aggregate.initial()
    for start in range(0, len(values), batch):
        part = values[start : start + batch]
        if merged:
            state = aggregate.merge(state, aggregate.add_many(aggregate.initial(), part))
        else:
            state = aggregate.add_many(state, part)
    return state


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("error", [0.005, 0.02, 0.1])
def test_distinct_is_off_by_no_more_than_three_standard_errors(error: float, merged: bool) -> None:
    aggregate = ApproxDistinct("ip", error=error)
    told = aggregate.result(state_of(aggregate, [f"ip-{n}" for n in range(VALUES)], merged=merged))
    assert abs(told - VALUES) <= 3 * error * VALUES


def test_distinct_is_the_same_whatever_the_order_and_the_batches() -> None:
    values = [f"ip-{n % 5_000}" for n in range(20_000)]
    aggregate = ApproxDistinct("ip")
    told = set()
    for seed, batch in enumerate((7, 1_000, 20_000)):
        random.Random(seed).shuffle(values)
        told |= {aggregate.result(state_of(aggregate, values, batch, merged)) for merged in (False, True)}
    assert len(told) == 1


def test_distinct_is_next_to_exact_for_few_values() -> None:
    aggregate = ApproxDistinct("ip")
    assert [aggregate.result(state_of(aggregate, list(range(n)))) for n in (0, 1, 10, 100)] == [0, 1, 10, 100]


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("error", [0.005, 0.01, 0.05])
def test_the_ranks_of_quantiles_are_off_by_no_more_than_the_error(error: float, merged: bool) -> None:
    generator = random.Random(17)
    values = [generator.lognormvariate(3, 2) for _ in range(VALUES)]
    aggregate = Quantiles("ms", tuple(n / 20 for n in range(1, 20)), error=error)
    told = aggregate.result(state_of(aggregate, values, merged=merged))
    values.sort()
    assert told is not None
    for rank, value in zip(aggregate.ranks, told, strict=True):
        # The sketch has chance in it that no seed sets; twice the error is one case in a million.
        assert (
            bisect_left(values, value) / VALUES - 2 * error <= rank <= bisect_right(values, value) / VALUES + 2 * error
        )


@pytest.mark.parametrize("error", [0.0005, 0.01, 0.2])
def test_quantiles_are_exact_for_as_many_numbers_as_is_told(error: float) -> None:
    values = list(range(round(2 / error)))
    random.Random(17).shuffle(values)
    aggregate = Quantiles("ms", (0.25, 0.5, 1), error=error)
    assert aggregate.result(state_of(aggregate, values)) == [
        (len(values) + 3) // 4 - 1,
        (len(values) + 1) // 2 - 1,
        len(values) - 1,
    ]


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("error", [0.001, 0.01])
def test_top_k_counts_too_few_by_no_more_than_the_error(error: float, merged: bool) -> None:
    generator = random.Random(17)
    values = [int(generator.paretovariate(0.7)) for _ in range(VALUES)]
    counts = Counter(values)
    aggregate = ApproxTopK("ip", 1_000, error=error)
    state = state_of(aggregate, values, merged=merged)
    told = {top["value"]: top["count"] for top in aggregate.result(state)}
    for value, count in told.items():
        assert counts[value] - error * VALUES <= count <= counts[value]
    assert {value for value, count in counts.items() if count > error * VALUES} <= told.keys()
    assert len(state.counts) <= 2 / error


@pytest.mark.parametrize(
    ("aggregate", "most_bytes"),
    [
        (ApproxDistinct("x"), 2_200),
        (ApproxDistinct("x", error=0.005), 33_000),
        (Quantiles("x"), 7_000),
        (ApproxTopK("x", error=0.01), 2_500),
    ],
    ids=str,
)
def test_a_state_has_a_bound(aggregate: Batched[Any], most_bytes: int) -> None:
    state = state_of(aggregate, list(range(VALUES)))
    assert len(msgspec.msgpack.encode(state)) <= most_bytes


def test_who_misses_the_library_is_told_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    from streamapp.windows import sketches

    for cached in (sketches._library, sketches._log_buckets, sketches._kept):
        cached.cache_clear()
    with pytest.raises(MissingExtraError, match=r"pip install 'streamapp\[sketches\]'"):
        ApproxDistinct("ip")
