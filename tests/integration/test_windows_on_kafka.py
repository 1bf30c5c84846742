"""Windows on Kafka give what the library's windows give for the same records, whatever happens to their workers."""

from __future__ import annotations

from pathlib import Path

import pytest
from commit_steps import OFFSETS, STEPS
from ports import free_port
from redis_server import RedisServer
from topics import Topics
from windowed import accounts, counted, expected, given, produce, sides
from windows_app import KINDS
from worker import Worker, wait_until

#: A worker that is killed comes back as the same member of the group.
PORT = free_port()
#: Those whose records are not written once more: for them it is known in which order they come.
DIRECT = tuple(kind for kind in KINDS if kind != "by-ip")


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "windows", partitions=2)
    topics.create("payments")
    return topics


@pytest.fixture(params=["rocksdb://", "memory://", "redis://"])
def store(request: pytest.FixtureRequest, redis: RedisServer) -> str:
    return redis.url if request.param == "redis://" else request.param


@pytest.fixture(autouse=True)
def _windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDOWS", ",".join(KINDS))


def wait_done(topics: Topics, worker: Worker) -> None:
    worker.wait_ready()
    wait_until(lambda: topics.committed("payments") == topics.end("payments"), "the payments are read")
    for name in KINDS:
        wait_until(lambda name=name: accounts(worker, name)["received"] == topics.end("payments"), f"{name} is done")


def wait_results(topics: Topics, worker: Worker) -> None:
    """Wait until a worker sends results, which is before it commits."""
    before = topics.end("tumbling.results")
    wait_until(
        lambda: worker.exit_code is not None or topics.end("tumbling.results") > max(before, 0), "there are some"
    )


def part(topics: Topics, number: int) -> None:
    """Send some payments; all of the first part are older than all of the second one."""
    produce(topics, 300, seed=number, start=1_000 * number)


def test_windows_count_each_record_in_each_of_its_windows(topics: Topics, tmp_path: Path, store: str) -> None:
    part(topics, 0)
    with Worker(tmp_path, app="windows_app", store=store, **topics.settings) as worker:
        wait_done(topics, worker)
        balances = {name: accounts(worker, name) for name in DIRECT}
        assert worker.terminate() == 0
    for name in DIRECT:
        whole = expected(topics, name)
        assert balances[name] == whole.balance
        assert given(topics, name) == whole.results
        assert sides(topics, name) == whole.sides


def test_after_a_restart_windows_go_on_as_if_nothing_had_been(topics: Topics, tmp_path: Path, store: str) -> None:
    for number in range(3):
        part(topics, number)
        with Worker(tmp_path, app="windows_app", store=store, **topics.settings) as worker:
            wait_results(topics, worker)
            assert worker.terminate() == 0
    with Worker(tmp_path, app="windows_app", store=store, **topics.settings) as worker:
        worker.wait_ready()
        wait_until(lambda: topics.committed("payments") == topics.end("payments"), "the payments are read")
        assert worker.terminate() == 0
    for name in DIRECT:
        assert given(topics, name) == expected(topics, name).results
        assert sides(topics, name) == expected(topics, name).sides


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_after_kills_the_totals_are_those_of_all_that_was_sent(
    topics: Topics, tmp_path: Path, store: str, guarantee: str
) -> None:
    settings = {"store": store, "processing_guarantee": guarantee, "web_port": PORT, **topics.settings}
    for number in range(3):
        part(topics, number)
        with Worker(tmp_path, app="windows_app", **settings) as worker:
            wait_results(topics, worker)
            worker.kill()
    check(topics, Worker(tmp_path, app="windows_app", **settings), exactly=guarantee == "exactly_once")


@pytest.mark.parametrize(
    ("step", "guarantee"), [(OFFSETS, "at_least_once"), *((step, "exactly_once") for step in STEPS)]
)
def test_a_worker_killed_at_any_step_of_a_commit_counts_nothing_twice(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, guarantee: str
) -> None:
    settings = {"processing_guarantee": guarantee, "web_port": PORT, **topics.settings}
    part(topics, 0)
    monkeypatch.setenv("DIES_AT", step)
    with Worker(tmp_path, app="windows_app", **settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker is killed")
    monkeypatch.delenv("DIES_AT")
    check(topics, Worker(tmp_path, app="windows_app", **settings), exactly=guarantee == "exactly_once")


def check(topics: Topics, worker: Worker, *, exactly: bool) -> None:
    """Check that all that is sent counts once, and each result is there, in the end."""
    part(topics, 9)  # a worker tells the balance of a partition once it has got a record of it
    with worker:
        wait_done(topics, worker)
        balances = {name: accounts(worker, name) for name in KINDS}
        assert worker.problems() == []
        assert worker.terminate() == 0
    for name in DIRECT:
        whole = expected(topics, name)
        assert balances[name] == whole.balance, name
        assert given(topics, name).keys() == whole.results.keys(), name
        if exactly:
            assert given(topics, name) == whole.results, name
            assert sides(topics, name) == whole.sides, name
    for name in ("tumbling", "by-ip"):
        assert counted(topics, name) == balances[name]["matched"], name


def test_partitions_that_move_between_workers_take_their_windows_along(topics: Topics, tmp_path: Path) -> None:
    settings = {"standbys": 1, **topics.settings}
    for number, (first, second) in enumerate([("one", "two"), ("two", "one")]):
        part(topics, number)
        with Worker(tmp_path / first, app="windows_app", **settings) as old:
            wait_results(topics, old)
            with Worker(tmp_path / second, app="windows_app", **settings) as new:
                new.wait_ready()
                assert old.terminate() == 0
                new.wait_ready()
                wait_until(lambda: topics.committed("payments") == topics.end("payments"), "the payments are read")
                assert new.terminate() == 0
    check(topics, Worker(tmp_path / "one", app="windows_app", **settings), exactly=False)
    for name in DIRECT:  # nobody was killed
        assert given(topics, name) == expected(topics, name).results, name
