"""Windows by hand, in an agent: their state has what the agent is done with, and nothing else."""

from __future__ import annotations

import json
import time
from pathlib import Path

from topics import Topics
from worker import Worker, wait_until

MINUTE = 60_000
#: A minute that is over.
START = (int(time.time()) // 60 - 60) * MINUTE


def test_an_agent_that_fails_counts_each_payment_once_but_the_one_that_it_fails_on(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "by-hand", partitions=1)
    topics.create("payments")
    topics.now = START
    for at, fails in enumerate((None, "once", None, "always", None)):
        topics.send("payments", "ann", {"fails": fails}, at=at)
    topics.flush()
    with Worker(tmp_path, app="windows_by_hand_app", store="memory://", **topics.settings) as worker:
        worker.wait_ready()
        wait_until(lambda: topics.committed("payments") == 5, "they are counted")
        worker.kill()
    topics.send("payments", "ann", {}, at=MINUTE)
    topics.flush()
    with Worker(tmp_path, app="windows_by_hand_app", store="memory://", **topics.settings) as worker:
        wait_until(lambda: topics.end("counts") == 1, "the minute is over")
    assert [json.loads(message.value()) for message in topics.read("counts")] == [[START, [4]]]
    (letter,) = topics.read("dead_letters")
    assert dict(letter.headers())["reason"] == b"agent_failed"
