"""State that is lost, damaged or cannot be written ends in a clear line and a rebuild, never in wrong results."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from topics import Topics
from worker import Worker, wait_until

USERS = 200


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "damaged", partitions=2)
    topics.create("user_profiles", "user_clicks")
    return topics


def databases(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*.rocksdb"))


@pytest.mark.parametrize("name", ["CURRENT", "MANIFEST-*"])
def test_a_damaged_database_is_read_from_the_changelog_again(topics: Topics, tmp_path: Path, name: str) -> None:
    topics.profiles(range(USERS))
    with Worker(tmp_path, **topics.settings) as worker:
        wait_until(lambda: len(topics.table("user_profiles")) == USERS, "the profiles are in the table")
        assert worker.terminate() == 0
    for database in databases(tmp_path):
        for file in database.glob(name):
            file.write_bytes(b"\xff" * file.stat().st_size)
    topics.clicks(range(1_000), users=USERS)
    with Worker(tmp_path, **topics.settings) as worker:
        wait_until(lambda: topics.end("joined_data") == 1_000, "the clicks join")
        assert worker.log.count("is damaged and is made anew from the changelog") == 2
        assert f"2 table partitions, {USERS} changelog records read" in worker.log
    assert topics.end("unmatched_clicks") <= 0


def test_on_a_full_disk_the_worker_stops_and_nothing_is_lost_once_there_is_room(topics: Topics, tmp_path: Path) -> None:
    with Worker(tmp_path, **topics.settings) as worker:
        topics.profiles(range(USERS))
        wait_until(lambda: len(topics.table("user_profiles")) == USERS, "the profiles are in the table")
        resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (64 << 10, 64 << 10))
        topics.profiles(range(20 * USERS), at=1, name="x" * 100)
        wait_until(lambda: worker.exit_code is not None, "the worker ends")
        assert worker.exit_code != 0
        assert "cannot be read or written: IO error" in worker.log
        assert "Traceback" not in worker.log
    topics.clicks(range(20 * USERS), users=20 * USERS, at=2)
    with Worker(tmp_path, **topics.settings) as worker:
        wait_until(lambda: topics.end("joined_data") == 20 * USERS, "the clicks join")
    assert topics.end("unmatched_clicks") <= 0
    assert topics.end("dead_letters") <= 0
