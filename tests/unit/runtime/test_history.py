"""The last minutes of each partition, in a ring."""

from __future__ import annotations

import math
from typing import Any

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streamapp.runtime.history import EVERY_S, SLOTS, History, Sample, slot_of

ORDERS, VIEWS = TP("orders", 0), TP("views", 0)


def sample(number: int) -> Sample:
    return Sample(10 * number, 9 * number, 0.5)


def test_samples_come_back_with_their_slots_the_oldest_first() -> None:
    history = History()
    history.add(7, {ORDERS: sample(1)})
    history.add(8, {ORDERS: sample(2), VIEWS: sample(3)})
    assert list(history.samples(ORDERS)) == [(7, sample(1)), (8, sample(2))]
    assert list(history.samples(VIEWS)) == [(8, sample(3))]
    assert history.partitions == [ORDERS, VIEWS]


@given(st.lists(st.tuples(st.integers(1, 2 * SLOTS), st.sets(st.sampled_from([ORDERS, VIEWS]))), max_size=30))
def test_a_ring_has_what_a_list_has_of_the_last_fifteen_minutes(steps: list[tuple[int, set[TP]]]) -> None:
    history, model, slot = History(), [], 1_000
    for step, partitions in steps:
        slot += step
        history.add(slot, {tp: sample(slot) for tp in partitions})
        model.append((slot, partitions))
    for tp in (ORDERS, VIEWS):
        kept = [at for at, partitions in model if tp in partitions and at > slot - SLOTS]
        assert list(history.samples(tp)) == [(at, sample(at)) for at in kept]
        assert (tp in history.partitions) == bool(kept)


def test_an_age_that_is_not_known_stays_so() -> None:
    history = History()
    history.add(1, {ORDERS: Sample(3, 1, math.nan)})
    ((_, found),) = history.samples(ORDERS)
    assert math.isnan(found.seconds)
    assert found.lag == 2


def test_rates_are_of_the_last_minute() -> None:
    history = History()
    for slot in range(1, 40):
        history.add(slot, {ORDERS: Sample(end=slot * EVERY_S * 100, committed=slot * EVERY_S * 50, seconds=0)})
    assert history.rates(ORDERS) == (100, 50)


def test_rates_look_at_the_samples_of_that_minute_and_at_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    history, made = History(), 0
    for slot in range(1, SLOTS):
        history.add(slot, {ORDERS: sample(slot)})

    def counted(*values: Any) -> Sample:
        nonlocal made
        made += 1
        return Sample(*values)

    monkeypatch.setattr("streamapp.runtime.history.Sample", counted)
    assert history.rates(ORDERS, over_s=60) is not None
    assert made == 60 // EVERY_S + 1


def test_one_sample_has_no_rate_and_a_topic_that_was_made_anew_none_below_zero() -> None:
    history = History()
    history.add(1, {ORDERS: Sample(500, 500, 0)})
    assert history.rates(ORDERS) is None
    history.add(2, {ORDERS: Sample(0, 0, 0)})
    assert history.rates(ORDERS) == (0, 0)


def test_workers_number_their_samples_by_the_wall_clock() -> None:
    assert slot_of(EVERY_S * 3.0) == slot_of(EVERY_S * 3.99) == 3


def test_fifteen_minutes_of_a_thousand_partitions_take_less_than_four_megabytes() -> None:
    history = History()
    history.add(1, {TP("orders", number): sample(number) for number in range(1_000)})
    rings = history._rings.values()
    size = sum(part.buffer_info()[1] * part.itemsize for ring in rings for part in (ring.ends, ring.committed))
    size += sum(ring.seconds.buffer_info()[1] * ring.seconds.itemsize for ring in rings)
    assert size == 1_000 * SLOTS * 20
