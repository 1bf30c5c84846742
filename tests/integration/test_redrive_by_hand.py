"""Redriven records in agents that do by hand what joins and windows do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from redriven import MARK, mark, report, run, wait_read
from topics import Topics
from worker import Worker, wait_until


@pytest.fixture
def topics(kafka) -> Topics:
    return Topics(kafka.bootstrap, "redrive-by-hand", partitions=1)


def test_results_of_operators_and_of_what_follows_a_hop_are_marked(topics: Topics, tmp_path: Path) -> None:
    topics.create("payments", "orders", "rates")
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


def test_clicks_without_a_profile_are_redriven_as_they_came_once_there_is_one(topics: Topics, tmp_path: Path) -> None:
    with Worker(tmp_path, **topics.settings) as worker:
        worker.wait_ready()
        for click in ("c1", "c2"):
            value = {"click_id": click, "user_id": "u1", "url": "/"}
            topics.send("user_clicks", "u1", value, at=1_000, headers=[("trace", b"1")])
        topics.flush()
        wait_until(lambda: topics.end("unmatched_clicks") == 2, "the clicks have no profile")
        topics.profiles([1])
        topics.flush()
        wait_read(topics, worker, "user_profiles")
        picked = ("unmatched_clicks", "--source", "user_clicks", "--reason", "unmatched", "--where", 'click_id == "c2"')
        assert report(topics, *picked, "--execute") == {"picked": 1, "mended": 0, "sent": 1, "skipped": 0, "refused": 0}
        (result,) = wait_until(lambda: topics.read("joined_data"), "the click is joined")
        assert json.loads(result.value())["click"]["click_id"] == "c2"
        assert mark(result)["of"] == f"{topics.prefix}user_clicks/0/1"
        assert result.headers()[1:] == [("trace", b"1")]
    topics.delete_records("user_clicks", 2)
    code, _, err = run(topics, "unmatched_clicks", "--execute")
    assert code == 1
    assert "unmatched_clicks/0/0 is what an agent has made of " in err
    assert "user_clicks/0/0, which is no more" in err


def test_what_the_agent_of_a_join_failed_on_is_for_that_join_and_picked_by_its_name(
    topics: Topics, tmp_path: Path
) -> None:
    topics.create("payments", "orders", "rates")
    with Worker(tmp_path, app="redriving_by_hand_app", **topics.settings) as worker:
        worker.wait_ready()
        topics.send("orders", "k", {"name": "poison"})
        topics.send("payments", "k", {"name": "poison"})
        topics.flush()
        letters = wait_until(
            lambda: found if len(found := topics.read("dead_letters")) == 2 else None, "two agents have failed"
        )
        names = {name: value.decode() for one in letters for name, value in one.headers() if "streamapp-" in name}
        told = [{name for name, _ in one.headers() if "streamapp-" in name} for one in letters]
        assert {"streamapp-agent"} in told
        assert names["streamapp-join"] == "join strict"
        assert report(topics, "--by", "count")["picked"] == report(topics, "--by", "join strict")["picked"] == 1
        assert report(topics, "--by", "lenient")["picked"] == 0
        assert report(topics, "--by", "strict", "--set", 'name="food"', "--execute")["sent"] == 1
        (result,) = wait_until(lambda: topics.read("strict.joined"), "it is joined")
        assert json.loads(result.value())["left"] == {"name": "food"}
        wait_read(topics, worker, "orders")
        assert topics.end("lenient.joined") == 1


def test_what_an_agent_failed_on_is_for_that_agent_alone_and_its_results_are_for_all(
    topics: Topics, tmp_path: Path
) -> None:
    topics.create("payments", "orders", "rates")
    with Worker(tmp_path, app="redriving_by_hand_app", **topics.settings) as worker:
        worker.wait_ready()
        topics.send("payments", "k", {"name": "poison"}, at=10)
        topics.flush()
        wait_until(lambda: topics.read("dead_letters"), "an agent has failed")
        (before,) = wait_until(lambda: topics.read("noted"), "the other one has not")
        assert report(topics, "--by", "count", "--set", 'name="food"', "--execute")["sent"] == 1
        wait_read(topics, worker, "payments")
        (seen,) = wait_until(lambda: topics.read("seen"), "the agent behind the hop has it")
        assert mark(seen)["attempt"] == 1
        topics.send("payments", "k", {"name": "last"}, at=20)
        topics.flush()
        _, after = wait_until(lambda: found if len(found := topics.read("noted")) > 1 else None, "more is noted")
    assert [json.loads(one.value())["name"] for one in (before, after)] == ["poison", "last"]
