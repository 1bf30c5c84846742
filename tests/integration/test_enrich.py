"""Each record comes out once, with what just happened to its keys, in the order in which they came."""

from __future__ import annotations

from pathlib import Path

import pytest
from enriched import expected, given, produce
from enriching_app import KINDS, SIDES
from topics import Topics
from worker import Worker, wait_until


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "enrich", partitions=1)
    topics.create("payments")
    return topics


@pytest.fixture(autouse=True)
def _features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEATURES", ",".join(KINDS))


def wait_done(topics: Topics, kind: str) -> None:
    count = len(expected(topics, kind)[0])
    wait_until(lambda: topics.end(f"{kind}.results") >= count, f"{kind} is done")


def test_records_have_the_features_of_a_plain_model_in_their_order(topics: Topics, tmp_path: Path) -> None:
    produce(topics, 1_000)
    with Worker(tmp_path, app="enriching_app", store="memory://", **topics.settings) as worker:
        worker.wait_ready()
        for kind in KINDS:
            wait_done(topics, kind)
        assert worker.terminate() == 0
    for kind in KINDS:
        results, rejected, late = expected(topics, kind)
        assert given(topics, kind)[0] == results
        assert late > 50
        sides = {side: topics.read(f"{kind}.{side}") for side in SIDES}
        assert len(sides["late"]) == late
        assert len(sides["rejected"]) + len(sides["null_key"]) == rejected
