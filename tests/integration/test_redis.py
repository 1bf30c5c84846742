"""A worker whose tables are in Redis, which goes away, comes back, or loses what it had."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis_server import RedisServer
from topics import Topics
from worker import Worker, wait_until

USERS = 200


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "redis")
    topics.create("user_profiles", "user_clicks")
    return topics


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis for one test alone, which asks for a password."""
    server = RedisServer(tmp_path / "redis", password="hunter2")
    server.start()
    yield server
    server.kill()


def settings(topics: Topics, server: RedisServer) -> dict[str, Any]:
    return {"store": server.url, "store_password": "hunter2", "cache": 1 << 20, **topics.settings}


def exactly_once_each(topics: Topics, count: int) -> bool:
    return topics.joined() == {f"c{number}": 1 for number in range(count)}


def done(topics: Topics) -> set[str]:
    """Give the clicks that are joined or unmatched."""
    names = [name for name in ("joined_data", "unmatched_clicks") if topics.exists(name)]
    records = [record for name in names for record in topics.read(name)]
    return {json.loads(record.value() or b"")["click"]["click_id"] for record in records}


def test_a_worker_on_another_machine_takes_over_without_reading_the_changelog(
    topics: Topics, server: RedisServer, tmp_path: Path
) -> None:
    topics.profiles(range(USERS))
    with Worker(tmp_path / "one", **settings(topics, server)) as worker:
        wait_until(lambda: len(topics.table("user_profiles")) == USERS, "the profiles are in the table")
        assert worker.terminate() == 0
    topics.clicks(range(1_000), users=USERS)
    with Worker(tmp_path / "two", **settings(topics, server)) as worker:
        wait_until(lambda: topics.end("joined_data") == 1_000, "the clicks join")
        assert worker.wait_ready().get("/table/user_profiles/u7/").json()["name"] == "name 7"
        assert "4 table partitions, 0 changelog records read" in worker.log
    assert exactly_once_each(topics, 1_000)


def test_while_redis_is_away_the_worker_waits_and_nothing_is_lost(
    topics: Topics, server: RedisServer, tmp_path: Path
) -> None:
    topics.profiles(range(USERS))
    with Worker(tmp_path, **settings(topics, server)) as worker:
        topics.clicks(range(1_000), users=USERS)
        wait_until(lambda: topics.end("joined_data") == 1_000, "the first clicks join")
        server.kill()
        topics.profiles(range(USERS, 2 * USERS), at=10)
        topics.clicks(range(1_000, 2_000), users=2 * USERS, at=20)
        wait_until(lambda: "waits: redis://127.0.0.1" in worker.log, "the worker notices")
        assert worker.answers("/health/live")
        assert worker.get("/table/user_profiles/unknown/").status == 503
        server.start()
        wait_until(lambda: topics.end("joined_data") >= 2_000, "all clicks join")
        assert worker.wait_ready().get(f"/table/user_profiles/u{USERS}/").status == 200
        assert worker.terminate() == 0
        assert "Traceback" not in worker.log
        assert "hunter2" not in worker.log
    assert exactly_once_each(topics, 2_000)
    assert topics.end("dead_letters") == 0


def test_a_worker_stops_cleanly_while_redis_is_away_and_the_next_one_has_all_rows(
    topics: Topics, server: RedisServer, tmp_path: Path
) -> None:
    with Worker(tmp_path, **settings(topics, server)) as worker:
        worker.wait_ready()
        server.kill()
        topics.profiles(range(USERS))
        wait_until(lambda: "waits: redis://127.0.0.1" in worker.log, "the worker notices")
        assert worker.terminate() == 0
    server.start()
    topics.clicks(range(1_000), users=USERS)
    with Worker(tmp_path, **settings(topics, server)):
        wait_until(lambda: topics.end("joined_data") == 1_000, "the clicks join")


def test_what_redis_has_lost_is_read_from_the_changelog_while_the_worker_runs(
    topics: Topics, server: RedisServer, tmp_path: Path
) -> None:
    topics.profiles(range(USERS))
    with Worker(tmp_path, **settings(topics, server)) as worker:
        topics.clicks(range(1_000), users=USERS)
        wait_until(lambda: topics.end("joined_data") == 1_000, "the first clicks join")
        wait_until(lambda: topics.committed("user_clicks") == 1_000, "they are committed")
        server.client().flushall()
        topics.profiles(range(USERS, 2 * USERS), at=10)
        topics.clicks(range(1_000, 2_000), users=2 * USERS, at=20)
        wait_until(lambda: topics.committed("user_clicks") == 2_000, "all clicks are read again, and committed")
        wait_until(lambda: server.client().hlen(f"{topics.id}:user_profiles:0:rows"), "the rows are in Redis again")
        assert "it lost rows, or another worker has written" in worker.log
    assert set(topics.joined()) == {f"c{number}" for number in range(2_000)}
    assert topics.end("unmatched_clicks") == 0


def test_a_redis_that_refuses_reads_stops_the_worker_without_a_dead_letter(
    topics: Topics, server: RedisServer, tmp_path: Path
) -> None:
    topics.profiles(range(USERS))
    with Worker(tmp_path, **settings(topics, server)) as worker:
        wait_until(lambda: len(topics.table("user_profiles")) == USERS, "the profiles are in the table")
        worker.wait_ready()
        server.client().acl_setuser("default", enabled=True, categories=["-@read"])
        topics.clicks(range(1_000), users=2 * USERS)
        wait_until(lambda: worker.exit_code is not None, "the worker ends")
        assert worker.exit_code != 0
        assert "cannot be read or written: " in worker.log
    assert topics.end("dead_letters") <= 0
    server.client().acl_setuser("default", enabled=True, categories=["+@all"])
    with Worker(tmp_path, **settings(topics, server)):
        # What the first worker sent and could not commit is there twice.
        wait_until(lambda: len(done(topics)) == 1_000, "all clicks are done")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"store_password": "wrong-hunter2"}, "refuses the user or the password (STREAMAPP_STORE_PASSWORD)"),
        ({"store": "redis://127.0.0.1:1/0"}, "STREAMAPP_STORE=redis://127.0.0.1:1/0: "),
        ({"store": "redis://:hunter2@127.0.0.1:1/0"}, "the password goes into STREAMAPP_STORE_PASSWORD"),
    ],
)
def test_a_redis_that_cannot_be_used_stops_the_start_without_the_password(
    topics: Topics, server: RedisServer, tmp_path: Path, change: dict[str, object], line: str
) -> None:
    with Worker(tmp_path, **settings(topics, server) | change) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker ends")
        assert worker.exit_code == 1
        (said,) = [said for said in worker.log.splitlines() if said.startswith("streamapp: ")]
    assert line in said
    assert "hunter2" not in worker.log
    assert "Traceback" not in worker.log
