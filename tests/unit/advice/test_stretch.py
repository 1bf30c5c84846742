"""The order of the records of partitions that are joined, beside the one of a worker that has them all at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from streamapp.advice.stretch import Came, in_order
from streamapp.joins import Event, Wall
from streamapp.kafka.partition import TP
from streamapp.runtime.batch import Batch, Merged
from streamapp.runtime.lane import Lane

examples = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

LIMIT = 100
TIMES = st.lists(st.integers(0, 150), min_size=1, max_size=20)
TPS = [TP(topic, 0) for topic in ("table", "stream", "more")]


def came(number: int, times: list[int], arrivals: list[int] | None = None) -> list[Came]:
    arrived: Sequence[int | None] = arrivals or [None] * len(times)
    return [
        Came(TPS[number], Event(b"k", b"v", time, offset), arrival)
        for offset, (time, arrival) in enumerate(zip(times, arrived, strict=True))
    ]


@examples
@given(st.tuples(TIMES, TIMES, TIMES))
def test_partitions_are_merged_as_a_worker_merges_them(partitions: tuple[list[int], ...]) -> None:
    assume(all(times[0] <= LIMIT for times in partitions))
    wall = Wall()
    wall.set(LIMIT, 0)
    batches = []
    for tp, times in zip(TPS, partitions, strict=True):
        events: list[Any] = [Event(b"k", b"v", time, offset) for offset, time in enumerate(times)]
        batch = Batch(tp, events)
        Lane().hold(batch, 0, wall)
        batches.append(batch)
    merged = Merged.of(TPS, batches)
    streams = [came(number, times) for number, times in enumerate(partitions)]
    ordered = [(number, one.record.offset) for number, one in in_order(streams, wall, arrival=False)]
    assert ordered == [(source, record.offset) for source, record in zip(merged.sources, merged, strict=True)]


@examples
@given(TIMES, TIMES)
def test_where_it_is_known_when_records_came_they_are_taken_as_they_came(first: list[int], second: list[int]) -> None:
    streams = [came(n, times, sorted(times)) for n, times in enumerate((first, second))]
    ordered = [one.arrival for _, one in in_order(streams, Wall(), arrival=True)]
    assert ordered == sorted([*first, *second])
