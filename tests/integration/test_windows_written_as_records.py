"""Large batches of many keys are written as they came: after kills each record counts once, as ever."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from commit_steps import STEPS
from ports import free_port
from topics import Topics
from windowed import accounts, expected, given
from worker import Worker, wait_until

PORT = free_port()
RECORDS = 6_000


@pytest.fixture
def topics(kafka, monkeypatch: pytest.MonkeyPatch) -> Topics:
    monkeypatch.setenv("WINDOWS", "minutes")
    topics = Topics(kafka.bootstrap, "pages", partitions=2)
    topics.now -= topics.now % 60_000 + 300_000  # a full minute, all of which is over
    topics.create("payments")
    return topics


def part(topics: Topics, number: int) -> None:
    """Send some payments of the same minute."""
    random = Random(number)
    for at in range(RECORDS):
        value = {"amount": random.randrange(1_000) / 100, "ip": "10.0.0.1"}
        topics.send("payments", f"k{random.randrange(2_000)}", value, at=15_000 * number + 2 * at)
    topics.flush()


def check(topics: Topics, worker: Worker, parts: int) -> None:
    """Check that each payment is in its window once the minute is over."""
    for partition in range(topics.partitions):
        topics.send("payments", "last", {"amount": 1, "ip": "10.0.0.1"}, at=120_000, partition=partition)
    topics.flush()
    with worker:
        worker.wait_ready()
        wait_until(lambda: accounts(worker, "minutes")["matched"] == parts * RECORDS, "all payments are matched")
        assert worker.terminate() == 0
    assert given(topics, "minutes") == expected(topics, "minutes").results


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
@pytest.mark.parametrize("store", ["rocksdb://", "memory://"])
def test_workers_killed_amid_a_minute_count_each_record_once(
    topics: Topics, tmp_path: Path, store: str, guarantee: str
) -> None:
    settings = {"store": store, "processing_guarantee": guarantee, "web_port": PORT, **topics.settings}
    for number in range(3):
        part(topics, number)
        with Worker(tmp_path, app="windows_app", **settings) as worker:
            worker.wait_ready()
            wait_until(lambda: topics.committed("payments") == topics.end("payments"), "the payments are read")
            worker.kill()
        changelog = topics.read(f"{topics.id}-minutes-changelog", full_name=True)
        assert any(each.key().startswith(b"pages/") for each in changelog)
    check(topics, Worker(tmp_path, app="windows_app", **settings), 3)


@pytest.mark.parametrize("step", STEPS)
def test_a_worker_killed_at_any_step_of_a_commit_counts_each_record_once(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    settings = {"processing_guarantee": "exactly_once", "web_port": PORT, **topics.settings}
    part(topics, 0)
    monkeypatch.setenv("DIES_AT", step)
    with Worker(tmp_path, app="windows_app", **settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker is killed")
    monkeypatch.delenv("DIES_AT")
    check(topics, Worker(tmp_path, app="windows_app", **settings), 1)
