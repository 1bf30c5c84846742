"""A worker that is killed when its changelogs have rows of a commit, and its offsets are not committed yet.

What it has read since is read again, by a state that has it already.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import pytest
from commit_steps import OFFSETS
from joined import TOPICS, balance, expected, given, produce, sides
from ports import free_port
from topics import Topics
from worker import Worker, wait_until

#: The step of a commit at which the state of a join has its rows, and the tables that it joins with lack theirs.
STATE: Final = "a changelog has rows"
#: Two with windows, those with a history and a grace, rows of tables, and a time to live.
JOINS = ("pairs", "self", "versioned", "tables", "ttl", "windows")
#: Those with tables whose rows are apart from the state.
APART = ("enriched", "ttl", "tables")
PORT = free_port()


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "killed", partitions=2)
    topics.create(*TOPICS)
    return topics


def die(topics: Topics, directory: Path, monkeypatch: pytest.MonkeyPatch, at: str = OFFSETS) -> None:
    monkeypatch.setenv("DIES_AT", at)
    with Worker(directory, app="joining_app", web_port=PORT, **topics.settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker is killed")
        assert worker.exit_code == -9
    monkeypatch.delenv("DIES_AT")


@pytest.mark.parametrize(("joins", "step"), [(JOINS, OFFSETS), (APART, STATE)], ids=["all", "state"])
def test_no_record_is_joined_twice_or_late_and_each_result_is_there(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, joins: tuple[str, ...], step: str
) -> None:
    monkeypatch.setenv("JOINS", ",".join(joins))
    for number in range(2):
        produce(topics, 200, seed=number, start=500 * number)
        die(topics, tmp_path, monkeypatch, step)
    produce(topics, 200, seed=3, start=1_500)
    with Worker(tmp_path, app="joining_app", web_port=PORT, **topics.settings) as worker:
        worker.wait_ready()
        for topic in TOPICS:
            wait_until(lambda topic=topic: topics.committed(topic) == topics.end(topic), f"{topic} is read")
        balances = {join: +balance(worker, join) for join in joins}
        assert "records that its state has from before a crash are not taken in again" in worker.log
    for join in joins:
        whole = expected(topics, join, tmp_path)
        assert balances[join] == +whole.balance, join  # what is late too
        assert given(topics, join).keys() == whole.results.keys(), join
        assert sides(topics, join).keys() == whole.side.keys(), join


def test_what_comes_after_joins_each_record_of_before_once(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOINS", "pairs")
    topics.send("views", "k", {"view": 1}, at=1_000)
    topics.send("views", "k", {"view": 2}, at=1_400)  # by the clock of which the one before would be late
    topics.flush()
    die(topics, tmp_path, monkeypatch)
    topics.send("purchases", "k", {"purchase": 1}, at=1_250)
    topics.flush()
    with Worker(tmp_path, app="joining_app", web_port=PORT, **topics.settings):
        wait_until(lambda: topics.end("pairs.joined") > 0, "there is a result")
        wait_until(lambda: topics.committed("purchases") == 1, "all is read")
    assert given(topics, "pairs") == Counter(
        {(b"k", b'{"left":{"purchase": 1},"right":{"view": 1}}', topics.now + 1_250): 1}
    )
    assert not sides(topics, "pairs")
