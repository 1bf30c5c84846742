"""The joins that Faust declares work, with the contract of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from topics import Topics
from worker import Worker, wait_until

PAIR, PURCHASE_ALONE, VIEW_ALONE = [10, "/a"], [20, None], [None, "/b"]
#: What each of Faust's methods gives; `join` is a right join there (`faust.Stream.join`, 0.15.3).
EXPECTED: dict[str, list[Any]] = {
    "inner_join": [PAIR],
    "left_join": [PAIR, PURCHASE_ALONE],
    "right_join": [PAIR, VIEW_ALONE],
    "join": [PAIR, VIEW_ALONE],
    "outer_join": [PAIR, PURCHASE_ALONE, VIEW_ALONE],
}


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "faust-joins", partitions=1)
    topics.create("purchases", "views", "pairs")
    topics.send("views", "u", {"user_id": "u", "url": "/a"}, at=100)
    topics.send("purchases", "u", {"user_id": "u", "amount": 10}, at=105)
    topics.send("views", "v", {"user_id": "v", "url": "/b"}, at=110)
    topics.send("purchases", "w", {"user_id": "w", "amount": 20}, at=111)
    topics.send("purchases", "other", {"user_id": "not its key", "amount": 5}, at=112)
    # The windows of all others are over by then.
    topics.send("purchases", "x", {"user_id": "x", "amount": 30}, at=1_000)
    topics.send("views", "x", {"user_id": "x", "url": "/x"}, at=1_000)
    topics.flush()
    return topics


@pytest.mark.parametrize("how", EXPECTED)
def test_two_combined_streams_are_joined_on_their_fields(
    topics: Topics, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOW", how)
    expected = [*EXPECTED[how], [30, "/x"]]
    with Worker(tmp_path, app="faust_joins_app", **topics.settings):
        wait_until(lambda: topics.end("pairs") >= len(expected), "the results are sent")
        wait_until(lambda: topics.committed("views") == 3 and topics.committed("purchases") == 4, "all is done")
    assert sorted(map(repr, map(json.loads, (message.value() for message in topics.read("pairs"))))) == sorted(
        map(repr, expected)
    )


def test_the_results_of_a_join_in_fausts_words_can_go_to_a_topic(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOW", "inner_join")
    monkeypatch.setenv("TO", "joined")
    with Worker(tmp_path, app="faust_joins_app", **topics.settings):
        wait_until(lambda: topics.end("joined") == 2, "the results are sent")
    amounts = [json.loads(message.value())["left"]["amount"] for message in topics.read("joined")]
    assert amounts == [10, 30]


def test_unmatched_records_of_a_join_in_fausts_words_go_to_the_named_topics(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOW", "inner_join")
    monkeypatch.setenv("SIDE_OUTPUTS", "unmatched rejected")
    with Worker(tmp_path, app="faust_joins_app", **topics.settings):
        wait_until(lambda: topics.end("rejected") == 1 and topics.end("unmatched") == 2, "the rest is sent")
    assert {message.key() for message in topics.read("unmatched")} == {b"v", b"w"}
    (refused,) = topics.read("rejected")
    assert refused.key() == b"other"
    assert ("reason", b"refused") in refused.headers()
