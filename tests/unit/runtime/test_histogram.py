"""Histograms that are filled a batch at a time, and the latency of results."""

from __future__ import annotations

import itertools
import time

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streamapp.kafka.record import Envelope, Result
from streamapp.runtime.histogram import TAKEN, Exemplar, Histogram, Latency

CLICKS = TP("clicks", 3)


class Click:
    """A record of the input, so many seconds old."""

    key, headers = b"k", ()

    def __init__(self, age: float, offset: int) -> None:
        self.timestamp = int((time.time() - age) * 1000)
        self.offset = offset


def results(*ages: float) -> list[Result]:
    return [(Click(age, 100 + number), b"v") for number, age in enumerate(ages)]


@given(st.lists(st.floats(0, 20), max_size=50))
def test_a_bucket_counts_values_up_to_its_bound(values: list[float]) -> None:
    histogram = Histogram((1, 2, 5, 10))
    for value in values:
        histogram.observe(value)
    bounds = [0.0, 1, 2, 5, 10, float("inf")]
    expected = [
        sum(low < value <= high or low == value == 0 for value in values) for low, high in itertools.pairwise(bounds)
    ]
    assert histogram.counts == expected
    assert histogram.count == len(values)
    assert histogram.sum == pytest.approx(sum(values))


def test_the_newest_exemplar_of_a_bucket_stays() -> None:
    histogram = Histogram((1, 2))
    for offset, value in enumerate([0.5, 1.5, 1.7]):
        histogram.exemplify(Exemplar(CLICKS, offset, value, at=0))
    assert {bucket: one.offset for bucket, one in histogram.exemplars.items()} == {0: 0, 1: 2}


@given(st.integers(1, 3 * TAKEN))
def test_every_result_counts_once_in_the_latency(count: int) -> None:
    latency = Latency()
    latency.took(results(*[0.0] * count), CLICKS)
    assert latency.count == count


def test_of_many_results_each_eighth_has_the_latency_of_its_first() -> None:
    latency = Latency()
    latency.took(results(*[40] * 10, *[3] * 70), CLICKS)
    counts = {bound: count for bound, count in zip(latency.bounds, latency.counts, strict=False) if count}
    assert counts == {60: 10, 5: 70}


def test_the_slowest_record_is_the_exemplar() -> None:
    latency = Latency()
    latency.took(results(1.5, 2.2, 1.6), CLICKS)
    (exemplar,) = latency.exemplars.values()
    assert (exemplar.tp, exemplar.offset) == (CLICKS, 101)


def test_of_a_result_with_headers_of_its_own_it_is_the_record_that_gave_it() -> None:
    latency, source = Latency(), Click(2, offset=7)
    latency.took([(Envelope(b"k", source.timestamp, source=source, tp=TP("views", 1)), b"v")], CLICKS)
    (exemplar,) = latency.exemplars.values()
    assert (exemplar.tp, exemplar.offset) == (TP("views", 1), 7)


def test_results_of_no_single_record_have_a_latency_and_no_exemplar() -> None:
    latency = Latency()
    latency.took([(Envelope(b"k", Click(2, 0).timestamp), b"v")], CLICKS)
    assert (latency.count, latency.exemplars) == (1, {})


def test_an_event_time_ahead_of_the_clock_is_no_latency_below_zero() -> None:
    latency = Latency()
    latency.took(results(-60), CLICKS)
    assert (latency.counts[0], latency.sum) == (1, 0)


def test_results_with_the_time_of_their_sending_are_left_out() -> None:
    latency = Latency()
    latency.took([(Envelope(b"k", None), b"v")], CLICKS)
    assert latency.count == 0
