"""An input topic that is deleted while a worker is at its records: what comes of them cannot be committed any more."""

from __future__ import annotations

from pathlib import Path

import pytest
from topics import Topics
from worker import Worker, wait_until


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "input", partitions=1)
    topics.create("user_clicks")
    return topics


def send(topics: Topics, count: int) -> None:
    for number in range(count):
        topics.send("user_clicks", "k", number)
    topics.flush()


def holding(topics: Topics, directory: Path, guarantee: str) -> Worker:
    return Worker(directory, app="holding_app", session_timeout=6, processing_guarantee=guarantee, **topics.settings)


def delete_amid_work(topics: Topics, directory: Path) -> str:
    """Delete the topic while the worker has records of it that are not done, and then are; give its full name."""
    send(topics, 10)
    wait_until(lambda: (directory / "taken").exists(), "the agent has the records")
    topics.delete("user_clicks")
    (directory / "done").touch()
    return f"{topics.prefix}user_clicks"


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_it_is_told_until_it_is_made_anew_and_then_is_read_from_its_beginning(
    topics: Topics, tmp_path: Path, guarantee: str
) -> None:
    with holding(topics, tmp_path, guarantee) as worker:
        topic = delete_amid_work(topics, tmp_path)
        gone = f"{topic} is not there any more, or not all of its partitions: make it anew"
        given_up = f"Work since the last commit is given up and done again: {gone}"
        wait_until(lambda: given_up in worker.log, "what was done is given up")
        wait_until(lambda: worker.log.count("Recovery]: Ready") == 2, "the worker goes on without it", 30)
        assert gone in str(worker.problems())
        topics.create("user_clicks")
        send(topics, 5)
        wait_until(lambda: topics.committed("user_clicks") == 5, "those of the new topic are counted, and committed")
        worker.post("/health/acknowledge")  # that records of the old one were not committed
        wait_until(lambda: worker.answers("/health/ready", 200), "the worker is ready")
        # Exactly once, what is not committed does not count; at least once, rows are there before offsets are.
        assert topics.table("counts") == {b"k": b"5" if guarantee == "exactly_once" else b"15"}
        assert "Traceback" not in worker.log
        assert worker.terminate() == 0
