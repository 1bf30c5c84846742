"""With exactly_once, workers killed or stopped in the middle of a commit lose nothing, and give nothing twice."""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from commit_steps import STEPS
from ports import free_port
from topics import Topics
from worker import Worker, wait_until

KEYS, SLICE = 40, 400
#: Rounds in which workers are killed at random.
ROUNDS, SEED = 6, 1


class Increments:
    """Increments of an app that counts them, and gives a result for each (`dying_app`)."""

    def __init__(self, bootstrap: str, directory: Path) -> None:
        self.topics = Topics(bootstrap, "dying", partitions=4)
        self.topics.create("user_clicks", "counted", "dead_letters")
        self.sent = 0
        self._directory = directory

    def send(self) -> None:
        """Send some more."""
        for number in range(self.sent, self.sent + SLICE):
            self.topics.send("user_clicks", f"k{number % KEYS}", number)
        self.topics.flush()
        self.sent += SLICE

    def worker(self, name: str, **settings: Any) -> Worker:
        return Worker(
            self._directory / name,
            app="dying_app",
            processing_guarantee="exactly_once",
            session_timeout=6,
            **self.topics.settings,
            **settings,
        )

    def until_gone(self, worker: Worker) -> bool:
        """Send some more, if a worker is there: it has something to commit once it has partitions."""
        if worker.exit_code is None:
            self.send()
        return worker.exit_code is not None

    def wait_counted(self) -> None:
        """Wait until all are counted, and that is committed."""
        wait_until(lambda: self.topics.committed("user_clicks") == self.sent, "all increments are committed")

    def assert_counted_once(self) -> None:
        """Check what a reader of committed records sees, and what the table has."""
        results = Counter(json.loads(message.value()) for message in self.topics.read("counted"))
        assert results == Counter(range(self.sent))
        counts = {key.decode(): int(count) for key, count in self.topics.table("counts").items()}
        assert counts == Counter(f"k{number % KEYS}" for number in range(self.sent))


@pytest.fixture
def increments(kafka, tmp_path: Path) -> Increments:
    return Increments(kafka.bootstrap, tmp_path)


@pytest.fixture
def die(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives workers that are started from now on an end at a step of their first commit."""

    def die(step: str | None, number: signal.Signals = signal.SIGKILL) -> None:
        if step is None:
            monkeypatch.delenv("DIES_AT")
        else:
            monkeypatch.setenv("DIES_AT", step)
            monkeypatch.setenv("DIES_BY", number.name)

    return die


def stopped(worker: Worker) -> bool:
    """Tell whether a worker's process is stopped by a signal."""
    return Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def owns_all(worker: Worker, topics: Topics) -> bool:
    ready = worker.answers("/health/ready")
    return bool(ready and len(worker.assigned().get(f"{topics.prefix}user_clicks", ())) == topics.partitions)


def test_a_transaction_that_is_not_committed_leaves_nothing_visible(increments: Increments, die) -> None:
    increments.send()
    die("the transaction is not committed")
    with increments.worker("only") as dies:
        wait_until(lambda: dies.exit_code == -signal.SIGKILL, "the worker is killed")
    assert increments.topics.end("counted", isolation="read_uncommitted") > 0
    assert increments.topics.read("counted") == []
    assert increments.topics.table("counts") == {}
    die(None)
    with increments.worker("only") as restarted:
        increments.wait_counted()
        assert restarted.terminate() == 0
    increments.assert_counted_once()


def test_a_worker_killed_at_any_step_of_a_commit_gives_nothing_twice(increments: Increments, die) -> None:
    port = free_port()  # the same member each time, so that it gets its partitions back at once
    with increments.worker("stays") as stays:
        stays.wait_ready()
        for step in STEPS:
            die(step)
            with increments.worker("dies", web_port=port) as dies:
                wait_until(lambda worker=dies: increments.until_gone(worker), "the worker is killed")
            assert dies.exit_code == -signal.SIGKILL
        die(None)
        with increments.worker("dies", web_port=port) as survives:
            survives.wait_ready()
            increments.wait_counted()
            assert survives.terminate() == stays.terminate() == 0
    increments.assert_counted_once()


def test_workers_killed_at_random_give_nothing_twice(increments: Increments) -> None:
    chance = random.Random(SEED)
    ports = {"one": free_port(), "two": free_port()}
    workers = {name: increments.worker(name, web_port=port) for name, port in ports.items()}
    try:
        for worker in workers.values():
            worker.wait_ready()
        for _ in range(ROUNDS):
            name = chance.choice(sorted(ports))
            for _ in range(chance.randrange(1, 8)):
                increments.send()
            workers[name].kill()
            workers[name] = increments.worker(name, web_port=ports[name])
            workers[name].wait_ready()
        increments.wait_counted()
        assert [worker.terminate() for worker in workers.values()] == [0, 0]
    finally:
        for worker in workers.values():
            worker.kill()
    increments.assert_counted_once()


@pytest.mark.parametrize("step", ["the offsets are not sent", "the transaction is not committed"])
def test_a_worker_taken_for_dead_in_the_middle_of_a_commit_adds_nothing(increments: Increments, die, step: str) -> None:
    increments.send()
    die(step, signal.SIGSTOP)
    with increments.worker("zombie") as zombie:
        wait_until(lambda: stopped(zombie), "the worker is stopped")
        die(None)
        with increments.worker("heir") as heir:
            wait_until(lambda: owns_all(heir, increments.topics), "the other worker has taken over")
            increments.send()
            increments.wait_counted()
            increments.assert_counted_once()
            os.kill(zombie.pid, signal.SIGCONT)
            wait_until(lambda: not owns_all(heir, increments.topics), "it is in the group again")
            zombie.wait_ready()
            increments.send()
            increments.wait_counted()
            assert zombie.terminate() == 0
            assert heir.terminate() == 0
    increments.assert_counted_once()
