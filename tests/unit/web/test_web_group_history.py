"""The last minutes of a group, put together from what its workers have."""

from __future__ import annotations

import pytest

from streamapp.runtime.history import EVERY_S
from streamapp.web.group_history import Series, merged
from streamapp.web.worker_part import HistoryPart, SeriesPart


def sums(slots: list[int], ends: list[int], committed: list[int], partitions: int) -> HistoryPart:
    count = len(slots)
    return HistoryPart([SeriesPart("clicks", None, slots, ends, committed, [1.0] * count, [partitions] * count)])


def one(partition: int, slots: list[int], ends: list[int]) -> HistoryPart:
    return HistoryPart([SeriesPart("clicks", partition, slots, ends, ends, [0.0] * len(slots), [1] * len(slots))])


def only(*parts: HistoryPart) -> Series:
    (series,) = merged(parts, {"clicks": 4}, []).series
    return series


def test_sums_of_workers_are_added_up_by_time() -> None:
    series = only(sums([7, 8], [100, 150], [90, 150], 2), sums([7, 8], [10, 60], [10, 40], 2))
    assert series.at == [7 * EVERY_S, 8 * EVERY_S]
    assert (series.lag, series.partitions) == ([10, 20], [4, 4])
    assert series.written_per_s == [None, 100 / EVERY_S]
    assert series.committed_per_s == [None, 90 / EVERY_S]


def test_where_some_partitions_are_missing_there_is_no_rate() -> None:
    series = only(sums([7, 8], [100, 150], [90, 150], 2), sums([8], [10_000], [9_000], 2))
    assert (series.partitions, series.lag) == ([2, 4], [10, 1_000])
    assert series.written_per_s == [None, None]


def test_a_time_at_which_two_workers_had_a_partition_is_left_out() -> None:
    series = only(sums([7, 8], [100, 150], [90, 150], 4), sums([7], [10], [10], 1))
    assert series.at == [8 * EVERY_S]


def test_a_partition_that_has_moved_is_one_series() -> None:
    series = only(one(3, [7, 8], [10, 20]), one(3, [9], [30]))
    assert (series.partition, series.at) == (3, [35, 40, 45])
    assert series.written_per_s == [None, 2.0, 2.0]


@pytest.mark.parametrize(
    ("ages", "sum_of_all"), [([None, 0.0], None), ([None, 2.0], 2.0), ([0.0, 0.0], 0.0), ([None, None], None)]
)
def test_an_age_that_is_not_known_is_none_of_no_age(ages: list[float | None], sum_of_all: float | None) -> None:
    parts = [HistoryPart([SeriesPart("clicks", None, [7], [1], [1], [age], [1])]) for age in ages]
    assert only(*parts).lag_seconds == [sum_of_all]


def test_members_that_gave_no_answer_are_named() -> None:
    assert merged([], {}, ["w2"]).silent == ["w2"]
