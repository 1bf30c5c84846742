"""With exactly_once, what readers of committed records see is what a single undisturbed run would have given."""

from __future__ import annotations

import base64
import random
from pathlib import Path

import pytest
from topics import Topics
from worker import Worker, wait_until

USERS = 50


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "exactly-once")
    topics.create("user_clicks", "user_profiles", "joined_data", "unmatched_clicks", "dead_letters")
    topics.profiles(range(USERS))
    return topics


def worker(topics: Topics, directory: Path, guarantee: str = "exactly_once") -> Worker:
    return Worker(directory, **topics.settings, processing_guarantee=guarantee, profile_ttl=0)


def once_each(clicks: range) -> dict[str, int]:
    return {f"c{number}": 1 for number in clicks}


def read(topics: Topics, clicks: int) -> bool:
    """Tell whether so many clicks are read and committed."""
    return topics.committed("user_clicks") == clicks


def test_a_restart_reads_nothing_twice(topics: Topics, tmp_path: Path) -> None:
    topics.clicks(range(1_000), users=USERS)
    with worker(topics, tmp_path) as first:
        wait_until(lambda: read(topics, 1_000), "all clicks are committed")
        assert first.terminate() == 0
    topics.clicks(range(1_000, 2_000), users=USERS)
    with worker(topics, tmp_path) as second:
        wait_until(lambda: read(topics, 2_000), "the new clicks are committed")
        assert second.terminate() == 0
        assert " 0 changelog records read" in second.log.rpartition("Ready: ")[2]
    assert topics.joined() == once_each(range(2_000))
    assert len(topics.table("user_profiles")) == USERS


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_a_result_that_its_topic_refuses_for_its_size_holds_up_nothing(kafka, tmp_path: Path, guarantee: str) -> None:
    topics = Topics(kafka.bootstrap, "exactly-once")
    topics.create("user_clicks", "user_profiles", "unmatched_clicks", "dead_letters")
    topics.create("joined_data", config={"max.message.bytes": "2000"})
    topics.profiles(range(USERS))
    topics.clicks(range(100), users=USERS)
    with worker(topics, tmp_path, guarantee) as running:
        wait_until(lambda: read(topics, 100), "the clicks are committed")
        url = "/" + base64.b64encode(random.randbytes(3_000)).decode()  # cannot be compressed to less
        topics.send("user_clicks", "u1", {"click_id": "large", "user_id": "u1", "url": url})
        topics.clicks(range(100, 200), users=USERS)
        wait_until(lambda: read(topics, 201), "the other clicks are committed, too")
        topics.clicks(range(200, 300), users=USERS)
        wait_until(lambda: read(topics, 301), "so are later ones")
        assert running.terminate() == 0
        assert "given up" not in running.log
    assert topics.joined() == once_each(range(300))
    assert len(topics.read("dead_letters")) == 1
