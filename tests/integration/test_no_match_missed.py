"""No match is missed: a click whose profile was produced before it joins, whatever happens to the workers."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from topics import Topics
from worker import Worker, wait_until

USERS, CLICKS = 2_000, 20_000
EVERY_CLICK = {f"c{number}" for number in range(CLICKS)}


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "matches")
    topics.create("user_profiles", "user_clicks")
    return topics


def all_joined(topics: Topics) -> None:
    """Wait until all is committed, then look for each click; duplicates are told, not refused: at least once."""
    # Not for so many results: after a kill some of them may be there twice, before others are there at all.
    wait_until(lambda: topics.committed("user_clicks") == CLICKS, "all clicks are committed")
    joined = topics.joined()
    print(f"duplicates: {joined.total() - len(joined)}")
    assert joined.keys() == EVERY_CLICK
    assert topics.end("unmatched_clicks") == 0
    assert topics.end("dead_letters") == 0


@pytest.mark.parametrize("store", ["rocksdb://", "memory://"])
def test_a_cold_start_with_both_topics_full_joins_every_click_once(topics: Topics, tmp_path: Path, store: str) -> None:
    topics.profiles(range(USERS))
    topics.clicks(range(CLICKS), users=USERS)
    with Worker(tmp_path, store=store, **topics.settings):
        all_joined(topics)
    assert topics.end("joined_data") == CLICKS


def test_profiles_and_clicks_that_alternate_while_the_worker_runs_all_join(topics: Topics, tmp_path: Path) -> None:
    with Worker(tmp_path, **topics.settings) as worker:
        worker.wait_ready()
        for first in range(0, USERS, 100):
            users = range(first, first + 100)
            topics.profiles(users)
            topics.clicks((user + USERS * turn for turn in range(CLICKS // USERS) for user in users), users=USERS)
        all_joined(topics)
    assert topics.end("joined_data") == CLICKS


def test_a_clean_stop_and_restart_replays_nothing_and_misses_nothing(topics: Topics, tmp_path: Path) -> None:
    topics.profiles(range(USERS))
    half = CLICKS // 2
    with Worker(tmp_path, **topics.settings) as worker:
        worker.wait_ready()
        topics.clicks(range(half), users=USERS)
        wait_until(lambda: topics.end("joined_data") > 0, "the first results")
        assert worker.terminate() == 0
    topics.clicks(range(half, CLICKS), users=USERS)
    with Worker(tmp_path, **topics.settings):
        all_joined(topics)
    assert topics.end("joined_data") == CLICKS


@pytest.mark.parametrize("store", ["rocksdb://", "memory://"])
def test_a_second_worker_that_joins_and_leaves_half_way_misses_nothing(
    topics: Topics, tmp_path: Path, store: str
) -> None:
    topics.profiles(range(USERS))
    settings = {**topics.settings, "store": store}
    with Worker(tmp_path / "one", **settings) as first, Worker(tmp_path / "two", **settings) as second:
        first.wait_ready()
        producing = threading.Thread(target=topics.clicks, args=(range(CLICKS),), kwargs={"users": USERS})
        producing.start()
        second.wait_ready()
        wait_until(lambda: both_own_partitions(first, second, topics), "both workers own partitions")
        producing.join()
        assert second.terminate() == 0
        all_joined(topics)


def both_own_partitions(first: Worker, second: Worker, topics: Topics) -> bool:
    clicks = f"{topics.prefix}user_clicks"
    return all(worker.answers("/health/ready") and worker.assigned().get(clicks) for worker in (first, second))


def test_a_killed_worker_that_comes_back_misses_nothing(topics: Topics, tmp_path: Path) -> None:
    topics.profiles(range(USERS))
    with Worker(tmp_path, **topics.settings) as worker:
        worker.wait_ready()
        port = worker.port
        topics.clicks(range(CLICKS // 2), users=USERS)
        wait_until(lambda: topics.end("joined_data") > 0, "the first results")
        worker.kill()
    topics.clicks(range(CLICKS // 2, CLICKS), users=USERS)
    with Worker(tmp_path, web_port=port, **topics.settings):
        all_joined(topics)
