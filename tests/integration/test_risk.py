"""Transactions come out with the features of a plain model, each once, and none is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from risky import BAD, check, metric, produce, profiles, scores, wait_scored
from topics import Topics
from worker import Worker, wait_until

GRACE = 1_000


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "risk", partitions=1)
    topics.now -= 2 * 3_600_000
    topics.create("transactions", "accounts")
    return topics


def test_scores_have_the_features_of_a_plain_model(topics: Topics, tmp_path: Path) -> None:
    profiles(topics, 12)
    produce(topics, 2_000, disorder=3_000)
    with Worker(tmp_path, pipelines="risk", store="memory://", risk_grace=1, **topics.settings) as worker:
        worker.wait_ready()
        wait_scored(topics, 2_000)
        assert worker.terminate() == 0
    found = check(topics, once=True, grace=GRACE)
    assert 50 < sum(score["late"] for (score,) in found.values()) < 500
    assert {score["unscored"] for (score,) in found.values() if score["late"]} == {"late"}


def test_what_is_no_transaction_goes_to_the_dead_letters_with_the_reason(topics: Topics, tmp_path: Path) -> None:
    for at, (key, value, _) in enumerate(BAD):
        topics.send("transactions", key, value, at=at)
    produce(topics, 20)
    with Worker(tmp_path, pipelines="risk", store="memory://", **topics.settings) as worker:
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


def test_explain_says_what_was_decided_on_a_transaction_and_why(topics: Topics, tmp_path: Path) -> None:
    profiles(topics, 12)
    produce(topics, 20)
    topics.send("transactions", "a1", {"transaction_id": "t", "account": "a1", "ip": "10.0.0.256", "amount": 1}, at=9_000)
    topics.flush()
    with Worker(tmp_path, pipelines="risk", store="memory://", **topics.settings) as worker:
        wait_scored(topics, 20)
        wait_until(lambda: topics.end("dead_letters") == 1, "one is set aside")
        decided, refused = explained(worker, 5), explained(worker, 20)
        assert worker.terminate() == 0
    ((value,),) = [found for found in scores(topics).values() if found[0]["transaction_id"] == "t5"]
    assert f"as {topics.prefix}transaction_scores[0]@" in decided
    assert f"decided: {value['decision']}" in decided
    assert f"ip_count_1h={value['features']['ip_count_1h']}" in decided
    assert "10.0.0.256" in refused
    assert "no IPv4 or IPv6 address" in refused


def explained(worker: Worker, offset: int) -> str:
    """Return what the command says of a transaction."""
    command = [sys.executable, "-m", "streamapp", "explain", "transactions", "0", str(offset), "--join", "risk"]
    environment = {**os.environ, "STREAMAPP_TOPIC_PREFIX": worker.settings["topic_prefix"], "STREAMAPP_PIPELINES": "risk"}
    found = subprocess.run([*command, "--worker", worker.url], env=environment, capture_output=True, text=True, check=True)
    return found.stdout
