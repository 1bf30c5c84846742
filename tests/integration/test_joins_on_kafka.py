"""A join on Kafka gives what the library's join gives for the same records, whatever happens to its workers."""

from __future__ import annotations

from pathlib import Path

import pytest
from joined import TOPICS, balance, expected, given, produce
from joining_app import KINDS
from ports import free_port
from redis_server import RedisServer
from topics import Topics
from worker import Worker, wait_until

#: A worker that is killed comes back as the same member of the group.
PORT = free_port()


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "joins", partitions=2)
    topics.create(*TOPICS)
    return topics


@pytest.fixture(params=["rocksdb://", "memory://", "redis://"])
def store(request: pytest.FixtureRequest, redis: RedisServer) -> str:
    return redis.url if request.param == "redis://" else request.param


@pytest.fixture(autouse=True)
def _joins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOINS", "pairs,enriched")


def wait_done(topics: Topics, worker: Worker) -> None:
    worker.wait_ready()
    for topic in TOPICS:
        wait_until(lambda topic=topic: topics.committed(topic) == topics.end(topic), f"{topic} is read to its end")


def wait_results(topics: Topics, worker: Worker) -> None:
    """Wait until a worker sends results, which is before it commits."""
    before = topics.end("pairs.joined")
    wait_until(lambda: worker.exit_code is not None or topics.end("pairs.joined") > max(before, 0), "there are results")


def test_an_undisturbed_worker_gives_each_result_once(topics: Topics, tmp_path: Path, store: str) -> None:
    for number in range(2):
        part(topics, number)
    with Worker(tmp_path, app="joining_app", store=store, **topics.settings) as worker:
        wait_done(topics, worker)
    for join in ("pairs", "enriched"):
        assert given(topics, join) == expected(topics, join, tmp_path).results


def part(topics: Topics, number: int) -> None:
    """Send some records; all of the first part are older than all of the second one."""
    produce(topics, 400, seed=number, start=1_000 * number)


def test_after_a_restart_a_join_goes_on_as_if_nothing_had_been(topics: Topics, tmp_path: Path, store: str) -> None:
    for number in range(3):
        part(topics, number)
        with Worker(tmp_path, app="joining_app", store=store, **topics.settings) as worker:
            wait_results(topics, worker)
            assert worker.terminate() == 0
    with Worker(tmp_path, app="joining_app", store=store, **topics.settings) as worker:
        wait_done(topics, worker)
    for join in ("pairs", "enriched"):
        assert given(topics, join) == expected(topics, join, tmp_path).results


def test_after_a_kill_a_join_gives_the_results_that_it_would_have_given(
    topics: Topics, tmp_path: Path, store: str
) -> None:
    for number in range(3):
        part(topics, number)
        with Worker(tmp_path, app="joining_app", store=store, web_port=PORT, **topics.settings) as worker:
            wait_results(topics, worker)
            worker.kill()
    part(topics, 3)  # a worker tells the balance of a partition once it has got a record of it
    with Worker(tmp_path, app="joining_app", store=store, web_port=PORT, **topics.settings) as worker:
        wait_done(topics, worker)
        balances = {join: +balance(worker, join) for join in ("pairs", "enriched")}
    for join in ("pairs", "enriched"):
        whole = expected(topics, join, tmp_path)
        assert given(topics, join).keys() == whole.results.keys()
        assert balances[join] == +whole.balance


def test_results_that_have_not_arrived_are_not_lost_with_their_worker(
    kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a join remembers must not say that a record is done while its result is not there yet."""
    topics = Topics(kafka.bootstrap, "joins", partitions=1)
    topics.create("purchases", "views", "pairs.joined")
    monkeypatch.setenv("JOINS", "pairs")
    monkeypatch.setenv("DIES_AT", "a changelog has rows")
    with Worker(tmp_path, app="joining_app", web_port=PORT, **topics.settings) as worker:
        worker.wait_ready()
        topics.delete("pairs.joined")
        topics.send("views", "k", {"view": 1}, at=0)
        topics.send("purchases", "k", {"purchase": 1}, at=1)
        topics.flush()
        topics.send("views", "k", {"view": 2}, at=10_000)  # when the others, if they come again, are late
        topics.flush()
        missing = f"Topic {topics.prefix}pairs.joined not found"  # which aiokafka says ten times a second
        wait_until(lambda: worker.exit_code is not None or worker.log.count(missing) > 30, "the result finds no topic")
        topics.create("pairs.joined")
        wait_until(lambda: worker.exit_code is not None, "the worker is killed")
    monkeypatch.delenv("DIES_AT")
    with Worker(tmp_path, app="joining_app", web_port=PORT, **topics.settings) as worker:
        wait_until(lambda: topics.committed("views") == 2, "all is read")
        wait_until(lambda: topics.end("pairs.joined") > 0, "there is a result")
    results = {message.value() for message in topics.read("pairs.joined")}
    assert results == {b'{"left":{"purchase": 1},"right":{"view": 1}}'}


def test_partitions_that_move_between_workers_take_the_state_of_their_joins_along(
    topics: Topics, tmp_path: Path
) -> None:
    for number, (first, second) in enumerate([("one", "two"), ("two", "one"), ("one", "two")]):
        part(topics, number)
        with Worker(tmp_path / first, app="joining_app", **topics.settings) as old:
            wait_results(topics, old)
            with Worker(tmp_path / second, app="joining_app", **topics.settings) as new:
                new.wait_ready()
                assert old.terminate() == 0
                wait_done(topics, new)
                assert new.terminate() == 0
    for join in ("pairs", "enriched"):
        assert given(topics, join) == expected(topics, join, tmp_path).results


def test_every_kind_of_join_goes_on_after_a_kill_as_if_nothing_had_been(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOINS", ",".join(KINDS))
    part(topics, 0)
    with Worker(tmp_path, app="joining_app", web_port=PORT, **topics.settings) as worker:
        wait_done(topics, worker)  # what is read once more counts once more: at least once
        worker.kill()
    part(topics, 1)
    with Worker(tmp_path, app="joining_app", web_port=PORT, **topics.settings) as worker:
        wait_done(topics, worker)
        balances = {join: +balance(worker, join) for join in KINDS}
    for join in KINDS:
        whole = expected(topics, join, tmp_path)
        assert given(topics, join).keys() == whole.results.keys(), join
        assert balances[join] == +whole.balance, join
