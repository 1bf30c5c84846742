"""With exactly_once the joins of the library give each result and side output once, wherever a worker is killed."""

from __future__ import annotations

from pathlib import Path

import pytest
from commit_steps import STEPS
from joined import TOPICS, balance, expected, given, produce, sides
from ports import free_port
from topics import Topics
from worker import Worker, wait_until

JOINS = ("pairs", "enriched", "windows")
#: A worker that is killed comes back as the same member of the group.
PORT = free_port()


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "joins", partitions=2)
    topics.create(*TOPICS)
    return topics


def test_a_worker_killed_at_any_step_of_a_commit_joins_nothing_twice(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def worker() -> Worker:
        return Worker(
            tmp_path, app="joining_app", processing_guarantee="exactly_once", web_port=PORT, **topics.settings
        )

    def part(number: int) -> None:
        produce(topics, 200, seed=number, start=1_000 * number)  # all older than those of the next one

    monkeypatch.setenv("JOINS", ",".join(JOINS))
    for number, step in enumerate(STEPS):
        part(number)
        monkeypatch.setenv("DIES_AT", step)
        with worker() as dies:
            wait_until(lambda worker=dies: worker.exit_code is not None, "the worker is killed")
    part(len(STEPS))
    monkeypatch.delenv("DIES_AT")
    with worker() as survives:
        survives.wait_ready()
        for topic in TOPICS:
            wait_until(lambda topic=topic: topics.committed(topic) == topics.end(topic), f"{topic} is read to its end")
        balances = {join: +balance(survives, join) for join in JOINS}
        assert survives.terminate() == 0
    for join in JOINS:
        whole = expected(topics, join, tmp_path)
        assert sum(whole.results.values()) > 0
        assert given(topics, join) == whole.results, join
        assert sides(topics, join) == whole.side, join
        assert balances[join] == +whole.balance, join
