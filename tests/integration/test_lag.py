"""`streamapp lag` tells what is not read yet, by what the broker knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from topics import Topics
from worker import Worker, wait_until


def lag(topics: Topics, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    of_topics = {f"STREAMAPP_{name.upper()}": str(value) for name, value in {**topics.settings, **settings}.items()}
    return subprocess.run(
        [sys.executable, "-m", "streamapp", "lag", *arguments],
        env={**os.environ, **of_topics},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "lag", partitions=2)
    topics.create("user_clicks", "user_profiles")
    topics.profiles(range(10))
    topics.clicks(range(100), users=10, at=1_000)
    return topics


def wait_done(topics: Topics, worker: Worker) -> None:
    worker.wait_ready()
    wait_until(lambda: topics.committed("user_clicks") == topics.end("user_clicks"), "the clicks are read")


def of(found: dict[str, Any], topic: str) -> list[dict[str, Any]]:
    return [one for one in found["partitions"] if one["topic"] == topic]


def test_a_worker_that_has_read_all_has_no_lag_and_its_member_id_is_told(topics: Topics, tmp_path: Path) -> None:
    with Worker(tmp_path, instance_id="reader", **topics.settings) as worker:
        wait_done(topics, worker)
        done = lag(topics, "--json", "--at-most", "0")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["group"], found["state"], found["lag"]) == (topics.id, "stable", 0)
    clicks = of(found, f"{topics.prefix}user_clicks")
    assert [one["partition"] for one in clicks] == [0, 1]
    assert sum(one["end"] for one in clicks) == sum(one["committed"] for one in clicks) == 100
    assert {(one["member"], one["behind_ms"]) for one in clicks} == {("reader", 0)}


def test_what_was_written_since_is_the_lag_in_records_and_in_event_time(topics: Topics, tmp_path: Path) -> None:
    with Worker(tmp_path, session_timeout=6, **topics.settings) as worker:
        wait_done(topics, worker)
        assert worker.terminate() == 0
    for at in (5_000, 7_500, 6_000):
        topics.send("user_clicks", "u1", {}, at=at, partition=1)
    topics.flush()
    found = json.loads(lag(topics, "--json").stdout)
    assert [(one["lag"], one["behind_ms"]) for one in of(found, f"{topics.prefix}user_clicks")] == [(0, 0), (3, 2_500)]
    assert found["lag"] == 3
    table = lag(topics, "--at-most", "2")
    assert table.returncode == 3
    assert table.stdout.splitlines()[-1].endswith(", lag: 3")


def test_partitions_of_which_nothing_is_committed_are_behind_by_all_that_they_have(
    topics: Topics, tmp_path: Path
) -> None:
    # Clicks wait for profiles that are later than any.
    with Worker(tmp_path, max_idle=600, **topics.settings) as worker:
        worker.wait_ready()
        found = json.loads(lag(topics, "--json").stdout)
    clicks = of(found, f"{topics.prefix}user_clicks")
    assert {one["committed"] for one in clicks} == {None}
    assert [one["lag"] for one in clicks] == [one["end"] for one in clicks]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"id": "nobody"}, "there is no consumer group nobody: no worker of it has run yet, or it has another id"),
        ({"broker": "127.0.0.1:1"}, "cannot reach Kafka at 127.0.0.1:1 (STREAMAPP_BROKER) within 10 s"),
    ],
)
def test_a_lag_that_cannot_be_told_ends_with_one_line(topics: Topics, settings: dict[str, str], message: str) -> None:
    done = lag(topics, **settings)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"streamapp lag: {message}")
