"""Each transaction counts once in the features of others, whatever becomes of workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from commit_steps import OFFSETS
from ports import free_port
from risk_models import write_model
from risky import HOUR, check, produce, profiles, wait_scored
from topics import Topics
from worker import Worker, wait_until

EXACTLY_ONCE, AT_LEAST_ONCE = "exactly_once", "at_least_once"
#: A worker that is killed comes back as the same member of the group.
PORT = free_port()


@pytest.fixture(params=["two", "one"])
def steps(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def topics(kafka, steps: str) -> Topics:
    topics = Topics(kafka.bootstrap, "risk-killed", partitions=1 if steps == "one" else 4)
    topics.now -= 2 * HOUR
    topics.create("transactions", "accounts")
    profiles(topics, 12)
    return topics


@pytest.fixture
def settings(topics: Topics, tmp_path: Path, guarantee: str, steps: str) -> dict[str, Any]:
    """Return the settings of a worker; what a model takes too long for would have no score, and no other features."""
    model = write_model(tmp_path / "model.onnx", "test")
    about = {"pipelines": "risk", "risk_steps": steps, "risk_grace": 3_600, "risk_model": model, "session_timeout": 6}
    return {**about, "processing_guarantee": guarantee, **topics.settings}


def wait_some_scored(topics: Topics, before: int) -> None:
    """Wait until there are scores that were not there before, committed or not."""
    level = "read_uncommitted"
    wait_until(lambda: topics.end("transaction_scores", isolation=level) > before, "some are scored")


@pytest.mark.parametrize("guarantee", [AT_LEAST_ONCE, EXACTLY_ONCE])
def test_after_kills_each_transaction_counts_once(
    topics: Topics, tmp_path: Path, settings: dict[str, Any], guarantee: str
) -> None:
    for part in range(3):
        produce(topics, 500, start=500 * part)
        before = topics.end("transaction_scores", isolation="read_uncommitted")
        with Worker(tmp_path, web_port=PORT, **settings) as worker:
            wait_some_scored(topics, before)
            worker.kill()
    produce(topics, 500, start=1_500)
    with Worker(tmp_path, web_port=PORT, **settings) as worker:
        wait_scored(topics, 2_000)
        assert worker.terminate() == 0
    check(topics, once=guarantee == EXACTLY_ONCE, grace=HOUR)


@pytest.mark.parametrize(
    ("step", "guarantee"),
    [
        ("a changelog has rows", AT_LEAST_ONCE),
        (OFFSETS, AT_LEAST_ONCE),
        ("the transaction is not committed", EXACTLY_ONCE),
        ("the rows are not in the store", EXACTLY_ONCE),
    ],
)
def test_killed_amid_a_commit_each_transaction_counts_once(
    topics: Topics,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    step: str,
    guarantee: str,
) -> None:
    monkeypatch.setenv("DIES_AT", step)
    for part in range(2):
        produce(topics, 300, start=300 * part)
        with Worker(tmp_path, app="risk_app", web_port=PORT, **settings) as worker:
            wait_until(lambda worker=worker: worker.exit_code is not None, "it has died")
    monkeypatch.delenv("DIES_AT")
    produce(topics, 300, start=600)
    with Worker(tmp_path, app="risk_app", web_port=PORT, **settings) as worker:
        wait_scored(topics, 900)
        assert worker.terminate() == 0
    check(topics, once=guarantee == EXACTLY_ONCE, grace=HOUR)


@pytest.mark.parametrize("steps", ["two"])  # in one step the second worker would have nothing to do
@pytest.mark.parametrize("guarantee", [AT_LEAST_ONCE, EXACTLY_ONCE])
def test_a_second_worker_that_comes_and_is_killed_changes_no_feature(
    topics: Topics, tmp_path: Path, settings: dict[str, Any], guarantee: str
) -> None:
    produce(topics, 500)
    with Worker(tmp_path / "one", **settings) as one:
        wait_some_scored(topics, 0)
        with Worker(tmp_path / "two", **settings) as two:
            two.wait_running()
            produce(topics, 500, start=500)
            wait_some_scored(topics, 500)
            two.kill()
        produce(topics, 500, start=1_000)
        wait_scored(topics, 1_500)
        assert one.terminate() == 0
    check(topics, once=guarantee == EXACTLY_ONCE, grace=HOUR)
