"""Redriven records in agents that do by hand what joins and windows do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from redriven import MARK, mark, report, wait_read
from topics import Topics
from worker import Worker, wait_until


@pytest.fixture
def topics(kafka) -> Topics:
    return Topics(kafka.bootstrap, "redrive-by-hand", partitions=1)


def test_results_of_operators_and_of_what_follows_a_hop_are_marked(topics: Topics, tmp_path: Path) -> None:
    topics.create("payments")
    place = {"topic": f"{topics.prefix}payments", "partition": "0", "offset": "0", "reason": "not_json", "error": "bad"}
    topics.now -= topics.now % 100
    with Worker(tmp_path, app="redriving_by_hand_app", **topics.settings) as worker:
        worker.wait_ready()
        headers = [*place.items(), ("streamapp-join", "operator minutes"), ("trace", b"1")]
        topics.send("dead_letters", "k", {"n": 1}, at=30, headers=headers)
        topics.send("payments", "other", {"n": 2}, at=20)
        topics.flush()
        wait_read(topics, worker, "payments")
        assert report(topics, "--execute")["sent"] == 1
        wait_read(topics, worker, "payments")
        topics.send("payments", "k", {"n": 3}, at=500)
        topics.flush()
        counts = wait_until(
            lambda: found if len(found := topics.read("counts")) == 2 else None, "the windows are closed"
        )
        seen = wait_until(lambda: found if len(found := topics.read("seen")) == 3 else None, "all cards are seen")
    assert {one.key(): MARK in dict(one.headers() or ()) for one in counts} == {b"k": True, b"other": False}
    (again,) = (one for one in seen if MARK in dict(one.headers() or ()))
    assert json.loads(again.value()) == [2]
    assert again.headers()[1:] == [("trace", b"1")]
    assert (mark(again)["attempt"], "join" in mark(again)) == (1, False)
