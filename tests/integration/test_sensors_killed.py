"""What a device has shown counts once, whatever becomes of workers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from commit_steps import OFFSETS
from ports import free_port
from sensed import SETTINGS, check, produce, readings, wait_judged
from topics import Topics
from worker import Worker, wait_until

EXACTLY_ONCE, AT_LEAST_ONCE = "exactly_once", "at_least_once"
TURNS = 100
#: A worker that is killed comes back as the same member of the group.
PORT = free_port()


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "sensors-killed", partitions=4)
    topics.now = (int(time.time()) - 3_600) * 1_000
    topics.create("readings")
    return topics


def settings(topics: Topics, guarantee: str) -> dict[str, Any]:
    # Plain Python: what it tells is the same (`test_engines.py`), and it is compiled by none of the many workers here.
    options = {"sensors_engine": "python", "session_timeout": 6, "processing_guarantee": guarantee}
    return {**topics.settings, **SETTINGS, **options}


def part(topics: Topics, number: int) -> None:
    produce(topics, readings(TURNS, start=number * TURNS))


def wait_more(topics: Topics, before: int) -> None:
    """Wait until there are anomalies that were not there before, committed or not."""
    wait_until(lambda: topics.end("device_anomalies", isolation="read_uncommitted") > before, "some are told")


@pytest.mark.parametrize("guarantee", [AT_LEAST_ONCE, EXACTLY_ONCE])
def test_after_kills_anomalies_are_those_of_a_plain_model(topics: Topics, tmp_path: Path, guarantee: str) -> None:
    for number in range(3):
        part(topics, number)
        before = topics.end("device_anomalies", isolation="read_uncommitted")
        with Worker(tmp_path, web_port=PORT, **settings(topics, guarantee)) as worker:
            wait_more(topics, before)
            worker.kill()
    part(topics, 3)
    with Worker(tmp_path, web_port=PORT, **settings(topics, guarantee)) as worker:
        wait_judged(topics)
        assert worker.problems() == []
        assert worker.terminate() == 0
    check(topics, once=guarantee == EXACTLY_ONCE)


@pytest.mark.parametrize(
    ("step", "guarantee"),
    [
        ("a changelog has rows", AT_LEAST_ONCE),
        (OFFSETS, AT_LEAST_ONCE),
        ("the transaction is not committed", EXACTLY_ONCE),
        ("the rows are not in the store", EXACTLY_ONCE),
    ],
)
def test_killed_amid_a_commit_anomalies_are_those_of_a_plain_model(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, guarantee: str
) -> None:
    monkeypatch.setenv("DIES_AT", step)
    for number in range(2):
        part(topics, number)
        with Worker(tmp_path, app="risk_app", web_port=PORT, **settings(topics, guarantee)) as worker:
            wait_until(lambda worker=worker: worker.exit_code is not None, "it has died")
            assert worker.exit_code == -9
    monkeypatch.delenv("DIES_AT")
    part(topics, 2)
    with Worker(tmp_path, app="risk_app", web_port=PORT, **settings(topics, guarantee)) as worker:
        wait_judged(topics)
        assert worker.terminate() == 0
    check(topics, once=guarantee == EXACTLY_ONCE)


@pytest.mark.parametrize("guarantee", [AT_LEAST_ONCE, EXACTLY_ONCE])
def test_a_second_worker_goes_on_with_what_the_first_one_knew(topics: Topics, tmp_path: Path, guarantee: str) -> None:
    part(topics, 0)
    with Worker(tmp_path / "one", **settings(topics, guarantee)) as one:
        one.wait_ready()
        wait_more(topics, 0)
        with Worker(tmp_path / "two", **settings(topics, guarantee)) as two:
            two.wait_running()
            part(topics, 1)
            wait_judged(topics)
            part(topics, 2)
            two.kill()
        part(topics, 3)
        wait_judged(topics)
        assert one.terminate() == 0
    check(topics, once=guarantee == EXACTLY_ONCE)


def test_the_state_is_a_row_a_device_and_is_restored_from_the_changelog(topics: Topics, tmp_path: Path) -> None:
    part(topics, 0)
    for directory in ("one", "two"):  # the second one has nothing but the changelog
        with Worker(tmp_path / directory, store="memory://", **settings(topics, AT_LEAST_ONCE)) as worker:
            wait_judged(topics)
            assert worker.terminate() == 0
        part(topics, 1 if directory == "one" else 2)
    with Worker(tmp_path / "three", store="memory://", **settings(topics, AT_LEAST_ONCE)) as worker:
        wait_judged(topics)
        assert worker.terminate() == 0
    rows = topics.table("device_state")
    assert sum(key.startswith(b"devices/") for key in rows) == 12
    assert sum(key.startswith(b"seasons/") for key in rows) == 12
    check(topics, once=True)
