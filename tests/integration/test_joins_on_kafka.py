"""A join on Kafka gives what the library's join gives for the same records, whatever happens to its workers."""

from __future__ import annotations

from pathlib import Path

import pytest
from joined import TOPICS, expected, given, produce
from topics import Topics
from worker import Worker, free_port, wait_until

#: A worker that is killed comes back as the same member of the group.
PORT = free_port()
STORES = ["rocksdb://", "memory://"]


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "joins", partitions=2)
    topics.create(*TOPICS)
    return topics


@pytest.fixture(autouse=True)
def _joins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOINS", "pairs,enriched")


def wait_done(topics: Topics, worker: Worker) -> None:
    worker.wait_ready()
    for topic in TOPICS:
        wait_until(lambda topic=topic: topics.committed(topic) == topics.end(topic), f"{topic} is read to its end")


@pytest.mark.parametrize("store", STORES)
def test_an_undisturbed_worker_gives_each_result_once(topics: Topics, tmp_path: Path, store: str) -> None:
    produce(topics, 2_000)
    with Worker(tmp_path, app="joining_app", store=store, **topics.settings) as worker:
        wait_done(topics, worker)
    for join in ("pairs", "enriched"):
        assert given(topics, join) == expected(topics, join, tmp_path).results


def wait_further(topics: Topics, worker: Worker) -> None:
    """Wait until a worker has done more than was done before."""
    before = topics.committed("purchases")
    wait_until(lambda: worker.exit_code is None and topics.committed("purchases") > before + 300, "it goes further")


@pytest.mark.parametrize("store", STORES)
def test_after_a_restart_a_join_goes_on_as_if_nothing_had_been(
    topics: Topics, tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    produce(topics, 10_000, keys=200)
    monkeypatch.setenv("SECONDS_A_RESULT", "0.0002")
    for _ in range(2):
        with Worker(tmp_path, app="joining_app", store=store, buffer=1 << 16, **topics.settings) as worker:
            worker.wait_ready()
            wait_further(topics, worker)
            assert worker.terminate() == 0
    assert topics.committed("purchases") < topics.end("purchases")
    monkeypatch.delenv("SECONDS_A_RESULT")
    with Worker(tmp_path, app="joining_app", store=store, **topics.settings) as worker:
        wait_done(topics, worker)
    for join in ("pairs", "enriched"):
        assert given(topics, join) == expected(topics, join, tmp_path).results


@pytest.mark.parametrize("store", STORES)
def test_after_a_kill_a_join_gives_no_result_that_it_would_not_have_given_and_lacks_none(
    topics: Topics, tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    produce(topics, 10_000, keys=200)
    monkeypatch.setenv("SECONDS_A_RESULT", "0.0002")
    for _ in range(2):
        with Worker(
            tmp_path, app="joining_app", store=store, buffer=1 << 16, web_port=PORT, **topics.settings
        ) as worker:
            worker.wait_ready()
            wait_further(topics, worker)
            worker.kill()
    assert topics.committed("purchases") < topics.end("purchases")
    monkeypatch.delenv("SECONDS_A_RESULT")
    with Worker(tmp_path, app="joining_app", store=store, web_port=PORT, **topics.settings) as worker:
        wait_done(topics, worker)
    for join in ("pairs", "enriched"):
        assert given(topics, join).keys() == expected(topics, join, tmp_path).results.keys()


def test_partitions_that_move_between_workers_take_the_state_of_their_joins_along(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    produce(topics, 10_000, keys=200)
    monkeypatch.setenv("SECONDS_A_RESULT", "0.0002")
    with Worker(tmp_path / "one", app="joining_app", buffer=1 << 16, **topics.settings) as one:
        one.wait_ready()
        wait_further(topics, one)
        with Worker(tmp_path / "two", app="joining_app", buffer=1 << 16, **topics.settings) as two:
            two.wait_ready()
            wait_further(topics, two)
            assert two.terminate() == 0
        wait_done(topics, one)
    for join in ("pairs", "enriched"):
        assert given(topics, join) == expected(topics, join, tmp_path).results
