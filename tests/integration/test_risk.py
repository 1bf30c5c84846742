"""Transactions come out with the features of a plain model, each once, and none is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from redriven import MARK, mark, report, wait_read
from risk_models import write_model
from risky import BAD, HOUR, check, metric, produce, profiles, scores, wait_scored
from topics import Topics
from worker import Worker, wait_until

GRACE = 1_000
TRANSACTION = {"transaction_id": "left", "account": "a1", "ip": "10.0.0.9", "amount": 1}


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "risk", partitions=1)
    topics.now -= 2 * HOUR
    topics.create("transactions", "accounts")
    return topics


@pytest.fixture
def settings(topics: Topics, tmp_path: Path) -> dict[str, Any]:
    model = write_model(tmp_path / "model.onnx", "test")
    return {"pipelines": "risk", "store": "memory://", "risk_model": model, "risk_budget": 5_000, **topics.settings}


@pytest.mark.parametrize("steps", ["two", "one"])
def test_scores_have_the_features_of_a_plain_model(
    topics: Topics, tmp_path: Path, settings: dict[str, Any], steps: str
) -> None:
    profiles(topics, 12)
    produce(topics, 2_000, disorder=3_000)
    with Worker(tmp_path, risk_grace=1, risk_steps=steps, **settings) as worker:
        worker.wait_ready()
        wait_scored(topics, 2_000)
        names = ("streamapp_risk_scored_total", "streamapp_risk_late_total")
        counts = {name: metric(worker, name)[""] for name in names}
        assert worker.terminate() == 0
    found = check(topics, once=True, grace=GRACE)
    assert 50 < sum(score["late"] for (score,) in found.values()) < 500
    for (score,) in found.values():
        assert score["unscored"] == ("late" if score["late"] else None)
        assert score["score"] == (None if score["late"] else pytest.approx(min(1.0, score["amount"] / 100)))
    assert counts["streamapp_risk_scored_total"] + counts["streamapp_risk_late_total"] == 2_000


def test_a_backlog_of_several_partitions_comes_to_ips_in_the_order_of_event_times(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "risk-backlog", partitions=4)
    topics.now -= 2 * HOUR
    topics.create("transactions", "accounts")
    profiles(topics, 12)
    produce(topics, 2_500, mixed=True)
    model = write_model(tmp_path / "model.onnx", "test")
    settings: dict[str, Any] = {"pipelines": "risk", "risk_model": model, "risk_grace": 0, "buffer": 1 << 16}
    with Worker(tmp_path, **settings, **topics.settings) as worker:
        wait_scored(topics, 2_500)
        assert worker.terminate() == 0
    found = check(topics, once=True, grace=0, mixed=True)
    assert not any(score["late"] for (score,) in found.values())


@pytest.mark.parametrize("steps", ["two", "one"])
def test_what_is_no_transaction_goes_to_the_dead_letters_with_the_reason(
    topics: Topics, tmp_path: Path, settings: dict[str, Any], steps: str
) -> None:
    for at, (key, value, _) in enumerate(BAD):
        topics.send("transactions", key, value, at=at)
    produce(topics, 20)
    with Worker(tmp_path, risk_steps=steps, **settings) as worker:
        wait_scored(topics, 20)
        wait_until(lambda: topics.end("dead_letters") == len(BAD), "the others are set aside")
        accounts = metric(worker, "streamapp_operator_records")
        assert worker.terminate() == 0
    letters = sorted(topics.read("dead_letters"), key=lambda letter: letter.timestamp())
    headers = [dict(letter.headers()) for letter in letters]
    assert [one["reason"].decode() for one in headers] == [reason for _, _, reason in BAD]
    assert {one["topic"].decode() for one in headers} == {f"{topics.prefix}transactions"}
    assert [letter.value() for letter in letters][1] == BAD[1][1]
    for key, count in (("received", 20 + len(BAD)), ("matched", 20), ("rejected", len(BAD))):
        assert accounts[f'account="{key}",operator="risk_accounts",partition="0"'] == count
    check(topics, once=True, grace=GRACE, unusable={letter.value() for letter in letters})  # they count for no other


@pytest.mark.parametrize("steps", ["two", "one"])
def test_explain_says_what_was_decided_on_a_transaction_and_why(
    topics: Topics, tmp_path: Path, settings: dict[str, Any], steps: str
) -> None:
    profiles(topics, 12)
    produce(topics, 20)
    bad = {"transaction_id": "t", "account": "a1", "ip": "10.0.0.256", "amount": 1}
    topics.send("transactions", "a1", bad, at=9_000)
    topics.flush()
    with Worker(tmp_path, risk_steps=steps, **settings) as worker:
        wait_scored(topics, 20)
        wait_until(lambda: topics.end("dead_letters") == 1, "one is set aside")
        decided, refused = ((worker.get(f"/joins/risk/transactions/0/{offset}/").json()[0]) for offset in (5, 20))
        assert worker.terminate() == 0
    (score,) = scores(topics)["t5"]
    assert (decided["verdict"], decided["evidence"]["topic"]) == ("decided", f"{topics.prefix}transaction_scores")
    assert decided["because"].startswith(score["decision"])
    assert f"the model {score['model']} gives {score['score']:.3f}" in decided["because"]
    assert f"ip_count_1h={score['features']['ip_count_1h']}" in decided["because"]
    assert (refused["verdict"], "10.0.0.256" in refused["because"]) == ("refused", True)


def test_one_step_is_refused_for_several_partitions(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "risk-several", partitions=2)
    topics.create("transactions", "accounts")
    with Worker(tmp_path, pipelines="risk", risk_steps="one", **topics.settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker ends")
    told = f"{topics.prefix}transactions has 2 partitions, and STREAMAPP_RISK_STEPS=one counts what an IP does in one"
    assert (worker.exit_code, worker.log.count(told), worker.log.count("Traceback")) == (1, 1, 0)


def test_for_one_step_topics_of_one_partition_are_made(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "risk-made", partitions=4)
    with Worker(tmp_path, pipelines="risk", risk_steps="one", **topics.settings) as worker:
        worker.wait_ready()
        assert worker.terminate() == 0
    assert len(topics.ends("transactions")) == len(topics.ends("accounts")) == 1


def test_one_step_does_not_begin_before_all_is_read_that_two_have_left(
    topics: Topics, tmp_path: Path, settings: dict[str, Any]
) -> None:
    hop, left = f"{topics.id}-{topics.prefix}transactions-by-ip-repartition", "1 records are left in"
    with Worker(tmp_path, risk_steps="two", **settings) as worker:
        worker.wait_ready()
        assert worker.terminate() == 0
    producer = Producer({"bootstrap.servers": topics.bootstrap})
    producer.produce(hop, json.dumps({"transaction": TRANSACTION, "account": {}}), "10.0.0.9")
    assert producer.flush(30) == 0

    with Worker(tmp_path, risk_steps="one", **settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker ends")
    assert f"{left} {hop}, which would not be read any more: run the worker with STREAMAPP_RISK_STEPS=two" in worker.log
    assert "Traceback" not in worker.log

    with Worker(tmp_path, risk_steps="two", **settings) as worker:
        wait_scored(topics, 1)
        assert worker.terminate() == 0
    with Worker(tmp_path, risk_steps="one", **settings) as worker:
        produce(topics, 20)
        wait_scored(topics, 21)
        assert worker.terminate() == 0


@pytest.mark.parametrize("steps", ["two", "one"])
def test_a_mended_transaction_is_scored_once_and_marked(
    topics: Topics, tmp_path: Path, settings: dict[str, Any], steps: str
) -> None:
    profiles(topics, 12)
    produce(topics, 20)
    topics.send("transactions", "a1", {**TRANSACTION, "amount": "5"}, at=5_000, headers=[("trace", b"bad")])
    topics.flush()
    with Worker(tmp_path, risk_steps=steps, **settings) as worker:
        wait_scored(topics, 20)
        wait_until(lambda: topics.end("dead_letters") == 1, "one is set aside")
        assert report(topics, "--set", "amount=5", "--execute", pipelines="risk", risk_steps=steps)["sent"] == 1
        wait_scored(topics, 21)
        wait_read(topics, worker, "transactions")
        assert worker.terminate() == 0
    scored = [one for one in topics.read("transaction_scores") if MARK in dict(one.headers() or ())]
    (again,) = scored
    assert (json.loads(again.value())["transaction_id"], json.loads(again.value())["amount"]) == ("left", 5)
    assert again.headers()[1:] == [("trace", b"bad")]
    assert "join" not in mark(again)
