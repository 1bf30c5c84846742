"""Clicks wait until the profiles of their partition are processed as far as the broker had them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from faust.types import TP

from streamapp.batching.alignment import Alignment
from streamapp.batching.batch import Batch

CLICKS, PROFILES = TP("clicks", 0), TP("profiles", 0)


def batch(tp: TP, *offsets: int) -> Batch:
    return Batch(tp, [SimpleNamespace(offset=offset) for offset in offsets])


@pytest.fixture
def alignment() -> Alignment:
    return Alignment({"clicks": frozenset({"profiles"}), "profiles": frozenset()})


def test_clicks_wait_while_it_is_not_known_how_far_the_profiles_go(alignment: Alignment) -> None:
    alignment.hold(batch(CLICKS, 0, 1))
    assert alignment.take() == []
    assert alignment.unbarred == {CLICKS}
    assert alignment.held == 2


def test_clicks_wait_while_profiles_are_still_to_be_fetched(alignment: Alignment) -> None:
    alignment.hold(batch(CLICKS, 0))
    alignment.learn(ends={PROFILES: 5}, positions={PROFILES: 3})
    assert alignment.take() == []


def test_clicks_wait_while_profiles_are_fetched_but_not_processed(alignment: Alignment) -> None:
    alignment.hold(batch(PROFILES, 3, 4))
    alignment.hold(batch(CLICKS, 0))
    alignment.learn(ends={PROFILES: 5}, positions={PROFILES: 5})
    assert [taken.tp for taken in alignment.take()] == [PROFILES]
    assert alignment.take() == []
    alignment.lane(PROFILES).offsets.finish(4)
    assert [taken.tp for taken in alignment.take()] == [CLICKS]


def test_clicks_do_not_wait_for_profiles_that_came_after_them(alignment: Alignment) -> None:
    alignment.hold(batch(CLICKS, 0))
    alignment.learn(ends={PROFILES: 5}, positions={PROFILES: 5})
    assert [taken.tp for taken in alignment.take()] == [CLICKS]


def test_clicks_do_not_wait_for_other_partitions(alignment: Alignment) -> None:
    other = TP("clicks", 1)
    alignment.hold(batch(other, 0))
    alignment.learn(ends={TP("profiles", 1): 0}, positions={TP("profiles", 1): 0, PROFILES: 0})
    assert [taken.tp for taken in alignment.take()] == [other]


def test_of_a_partition_one_batch_is_in_work_and_one_waits_and_no_more_is_fetched(alignment: Alignment) -> None:
    alignment.hold(batch(PROFILES, 0))
    alignment.learn({}, {})
    alignment.take()
    alignment.hold(batch(PROFILES, 1))
    alignment.learn({}, {})
    assert alignment.full == {PROFILES}
    assert alignment.take() == []
    alignment.lane(PROFILES).offsets.finish(0)
    assert len(alignment.take()) == 1
    assert alignment.full == set()
