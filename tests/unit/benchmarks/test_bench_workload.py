"""The workload of the benchmarks."""

from __future__ import annotations

import json

import pytest

from benchmarks.workload import SPAN, Workload

WORKLOAD = Workload(users=50, clicks=200)


def test_the_same_numbers_give_the_same_records() -> None:
    assert list(WORKLOAD.stream(0)) == list(Workload(users=50, clicks=200).stream(0))
    assert list(WORKLOAD.profiles(0)) == list(Workload(users=50, clicks=200).profiles(0))


def test_each_user_has_one_profile_under_the_own_id() -> None:
    profiles = [(key.decode(), json.loads(value)["user_id"]) for key, value, _ in WORKLOAD.profiles(0)]
    assert profiles == [(f"u{user}", f"u{user}") for user in range(50)]


def test_each_click_is_of_a_user_with_a_profile() -> None:
    users = {key for key, _, _ in WORKLOAD.profiles(0)}
    for key, value, _ in WORKLOAD.stream(0):
        assert key in users
        assert json.loads(value)["user_id"] == key.decode()


def test_clicks_are_told_apart_by_their_ids() -> None:
    assert len({json.loads(value)["click_id"] for _, value, _ in WORKLOAD.stream(0)}) == 200


def test_all_profiles_are_older_than_all_clicks_and_none_is_too_old_for_any() -> None:
    profiles = [timestamp for _, _, timestamp in WORKLOAD.profiles(1_000)]
    clicks = [timestamp for _, _, timestamp in WORKLOAD.stream(1_000)]
    assert profiles == sorted(profiles)
    assert clicks == sorted(clicks)
    assert profiles[0] == 1_000
    assert profiles[-1] < clicks[0]
    assert clicks[-1] - profiles[0] <= 2 * SPAN < 300_000


@pytest.mark.parametrize("size", [200, 1_000, 10_000])
def test_clicks_have_the_size_that_is_asked_for(size: int) -> None:
    workload = Workload(users=50, clicks=200, click_bytes=size)
    assert {len(value) for _, value, _ in workload.stream(0)} == {size}
    assert all(json.loads(value)["text"] for _, value, _ in workload.stream(0))


def test_workloads_have_topics_of_their_own() -> None:
    workloads = [WORKLOAD, Workload(51, 200), Workload(50, 201), Workload(50, 200, 8), Workload(50, 200, 4, 300)]
    assert len({workload.prefix for workload in workloads}) == len(workloads)
