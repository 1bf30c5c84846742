"""Windows on Kafka give what the library's windows give for the same records, whatever happens to their workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ports import free_port
from redis_server import RedisServer
from topics import Topics
from windowed import accounts, expected, given, produce, sides
from windows_app import KINDS
from worker import Worker, wait_until

#: A worker that is killed comes back as the same member of the group.
PORT = free_port()

Start = Callable[[], Worker]


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "windows", partitions=2)
    topics.create("payments")
    return topics


@pytest.fixture(params=["rocksdb://", "memory://", "redis://"])
def store(request: pytest.FixtureRequest, redis: RedisServer) -> str:
    return redis.url if request.param == "redis://" else request.param


def wait_done(topics: Topics, worker: Worker) -> None:
    worker.wait_ready()
    wait_until(lambda: topics.committed("payments") == topics.end("payments"), "the payments are read")


def source(topics: Topics, name: str) -> str:
    """Return the full name of the topic that windows read."""
    payments = f"{topics.prefix}payments"
    return f"{topics.id}-{payments}-by-ip-repartition" if name == "by-ip" else payments


def test_windows_count_each_record_in_each_of_its_windows_once(
    topics: Topics, tmp_path: Path, store: str, monkeypatch
) -> None:
    monkeypatch.setenv("WINDOWS", ",".join(KINDS))
    produce(topics, 400)
    with Worker(tmp_path, app="windows_app", store=store, **topics.settings) as worker:
        wait_done(topics, worker)
        for name in KINDS:
            whole = expected(topics, name, source(topics, name), full_name=True)
            received = whole.balance["received"]
            wait_until(lambda name=name, n=received: accounts(worker, name)["received"] == n, f"{name} is done")
            assert accounts(worker, name) == whole.balance
    for name in KINDS:
        whole = expected(topics, name, source(topics, name), full_name=True)
        assert given(topics, name) == whole.results
        assert sides(topics, name) == whole.sides
