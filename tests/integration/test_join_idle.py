"""With an idle timeout, what waits for the clock comes out although no record comes any more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from topics import Topics
from worker import Worker, wait_until

PAIR = ["join", "--left", "orders", "--right", "payments", "--on", "id", "--to", "joined", "--how", "left"]
PAIR += ["--before", "0", "--after", "10s", "--grace"]


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "idle", partitions=2)
    topics.create("orders", "payments")
    for number in range(4):
        topics.send("orders", f"{number}", {"id": number})
    topics.flush()
    return topics


def alone(topics: Topics) -> list[int]:
    values = [json.loads(message.value()) for message in topics.read("joined")]
    assert all(value["right"] is None for value in values)
    return sorted(value["left"]["id"] for value in values)


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_what_waits_in_a_silent_topic_comes_out_once_and_leaves_the_state(
    topics: Topics, tmp_path: Path, guarantee: str
) -> None:
    settings = {**topics.settings, "processing_guarantee": guarantee}
    with Worker(tmp_path, command=[*PAIR, "0", "--idle-timeout", "11s"], **settings) as worker:
        wait_until(lambda: topics.end("joined") > 0 and len(alone(topics)) == 4, "the orders are told as unmatched")
        wait_until(lambda: not worker.exit_code and pending(worker) == 0, "nothing waits any more")
        assert worker.terminate() == 0
    assert alone(topics) == [0, 1, 2, 3]


def test_what_waited_before_a_restart_comes_out_after_it(topics: Topics, tmp_path: Path) -> None:
    group = f"{topics.id}-joined"
    with Worker(tmp_path, command=[*PAIR, "0"], **topics.settings) as worker:
        worker.wait_ready()
        wait_until(lambda: topics.committed("orders", group) == 4, "the orders are read")
        assert worker.terminate() == 0
    assert topics.end("joined") == 0
    with Worker(tmp_path, command=[*PAIR, "0", "--idle-timeout", "11s"], **topics.settings):
        wait_until(lambda: topics.end("joined") == 4, "the orders are told as unmatched")
    assert alone(topics) == [0, 1, 2, 3]


def pending(worker: Worker) -> int:
    lines = worker.get("/metrics").body.decode().splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if 'account="pending"' in line)
