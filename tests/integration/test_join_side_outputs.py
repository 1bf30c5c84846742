"""Nothing vanishes in a join: each record that is not matched is told with the reason, and the balance is checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from joined import TOPICS, balance, expected, given, produce, sides
from topics import Topics
from worker import Worker, wait_until


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "sides", partitions=2)
    topics.create(*TOPICS)
    return topics


def wait_done(topics: Topics, worker: Worker, *names: str) -> None:
    worker.wait_ready()
    for topic in names:
        wait_until(lambda topic=topic: topics.committed(topic) == topics.end(topic), f"{topic} is read to its end")


@pytest.mark.parametrize("join", ["pairs", "enriched"])
def test_unmatched_records_go_to_the_topics_of_their_reasons_and_are_counted(
    topics: Topics, tmp_path: Path, join: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOINS", join)
    produce(topics, 1_000)
    topics.send("purchases", "k1", None)
    topics.flush()
    with Worker(tmp_path, app="joining_app", **topics.settings) as worker:
        wait_done(topics, worker, "purchases", "views" if join == "pairs" else "customers")
        whole = expected(topics, join, tmp_path)
        assert +balance(worker, join) == +whole.balance
        metrics = worker.get("/metrics").body.decode()
        assert worker.get("/health/ready").status == 200
    assert sides(topics, join) == whole.side
    reasons = {side[0].decode() for side in whole.side}
    assert reasons >= {"unmatched", "null_value"}
    for reason in reasons:
        assert f'join="{join}",reason="{reason}"' in metrics


def test_a_value_not_of_the_declared_type_is_refused_and_the_others_are_joined(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOINS", "strict")
    topics.send("customers", "k", {"name": "ann"})
    topics.send("purchases", "k", b"no json", at=1)
    topics.send("purchases", "k", {"amount": "ten"}, at=2)
    topics.send("purchases", "k", {"amount": 10}, at=3)
    topics.flush()
    with Worker(tmp_path, app="joining_app", **topics.settings) as worker:
        wait_done(topics, worker, "purchases", "customers")
        assert +balance(worker, "strict") == {"received": 3, "matched": 1, "rejected": 2}
    assert [value for _, value, _ in given(topics, "strict")] == [b'{"left":{"amount": 10},"right":{"name": "ann"}}']
    refused = {message.value(): dict(message.headers()) for message in topics.read("strict.rejected")}
    assert refused.keys() == {b"no json", b'{"amount": "ten"}'}
    assert b"Expected `int`, got `str`" in refused[b'{"amount": "ten"}']["detail"]


def test_a_record_that_is_not_accounted_for_makes_the_worker_unhealthy(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOINS", "leaky")
    with Worker(tmp_path, app="joining_app", **topics.settings) as worker:
        worker.wait_ready()
        topics.send("purchases", "k", {})
        topics.flush()
        health = wait_until(lambda: worker.answers("/health/ready", 503), "the worker is unhealthy").json()
        assert worker.answers("/health/live", 200)
        assert "[ERROR]" in worker.log
    (problem,) = health["problems"]
    assert problem.startswith("join leaky, partition ")
    assert problem.endswith("of 1 records that were given it took 0 in")
