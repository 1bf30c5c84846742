"""`streamapp lag` tells what is not read yet, by what the broker knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
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


def test_partitions_of_which_nothing_is_read_are_behind_by_all_that_they_have(topics: Topics, tmp_path: Path) -> None:
    # Clicks wait for profiles that are later than any.
    with Worker(tmp_path, max_idle=600, **topics.settings) as worker:
        worker.wait_ready()
        found = json.loads(lag(topics, "--json").stdout)
    clicks = of(found, f"{topics.prefix}user_clicks")
    assert {one["committed"] for one in clicks} == {0}
    assert [one["lag"] for one in clicks] == [one["end"] for one in clicks]


def begun_transaction(topics: Topics, count: int, partition: int = 0) -> Producer:
    producer = Producer({"bootstrap.servers": topics.bootstrap, "transactional.id": topics.id, "log_level": 0})
    producer.init_transactions(30)
    producer.begin_transaction()
    for number in range(count):
        click = b'{"click_id":"t%d","user_id":"u1","url":"/"}' % number
        producer.produce(f"{topics.prefix}user_clicks", click, b"u1", partition, timestamp=topics.now + 2_000 + number)
    producer.flush(30)
    return producer


def transaction(topics: Topics, count: int, *, commit: bool, partition: int = 0) -> None:
    producer = begun_transaction(topics, count, partition)
    before = topics.end("user_clicks")
    (producer.commit_transaction if commit else producer.abort_transaction)(30)
    wait_until(lambda: topics.end("user_clicks") == before + count + 1, "the transaction's marker is written")


@pytest.mark.parametrize(("guarantee", "aborted"), [("exactly_once", 0), ("at_least_once", 10)])
def test_of_transactions_only_what_a_worker_reads_is_lag_and_no_markers(
    topics: Topics, tmp_path: Path, guarantee: str, aborted: int
) -> None:
    def done() -> int:
        return lag(topics, "--at-most", "0", processing_guarantee=guarantee).returncode

    with Worker(tmp_path, processing_guarantee=guarantee, **topics.settings) as worker:
        worker.wait_ready()
        transaction(topics, 10, commit=True)
        transaction(topics, 10, commit=False)
        transaction(topics, 5, commit=False, partition=1)
        end = 100 + 25 + 3
        wait_until(lambda: topics.committed("user_clicks") == end, "the group is behind the last markers")
        assert done() == 0
        assert worker.terminate() == 0
    transaction(topics, 10, commit=False)
    assert done() == (3 if aborted else 0)
    transaction(topics, 3, commit=True)
    found = json.loads(lag(topics, "--json", processing_guarantee=guarantee).stdout)
    clicks = of(found, f"{topics.prefix}user_clicks")
    assert [(one["lag"], one["end"] - one["committed"]) for one in clicks] == [(aborted + 3, 15), (0, 0)]
    assert clicks[0]["behind_ms"] == (9 if aborted else 2)


@pytest.mark.parametrize(("guarantee", "lags"), [("exactly_once", (0, 10)), ("at_least_once", (10, 0))])
def test_what_is_behind_an_open_transaction_is_told_where_it_cannot_be_read(
    topics: Topics, tmp_path: Path, guarantee: str, lags: tuple[int, int]
) -> None:
    with Worker(tmp_path, processing_guarantee=guarantee, **topics.settings) as worker:
        wait_done(topics, worker)
        assert worker.terminate() == 0
    producer = begun_transaction(topics, 10)
    try:
        found = json.loads(lag(topics, "--json", processing_guarantee=guarantee).stdout)
        table = lag(topics, processing_guarantee=guarantee).stdout
    finally:
        producer.abort_transaction(30)
    clicks = of(found, f"{topics.prefix}user_clicks")[0]
    assert (clicks["lag"], clicks["withheld"]) == lags
    assert (f"lag: 0, behind open transactions in {topics.prefix}user_clicks: 10" in table) == (lags[0] == 0)


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
