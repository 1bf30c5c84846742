"""Transactions come out with the features of a plain model, each once, and none is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from risky import BAD, check, metric, produce, profiles, wait_scored
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
