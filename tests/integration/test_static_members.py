"""Static members: a worker that comes back takes its partitions, and a second one does not take those of a live one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from ports import free_port
from topics import Topics
from worker import Worker, wait_until


@pytest.fixture
def topics(kafka) -> Topics:
    return Topics(kafka.bootstrap, "static", partitions=4)


def owners(worker: Worker) -> dict[str, list[int]]:
    """Give the partitions of the table by the URL of the worker that has them, as a worker knows it."""
    found = worker.get("/router/").json()
    return {url: numbers for url, topics in found.items() for numbers in topics.values()}


def ended(worker: Worker) -> list[str]:
    """Wait until a worker has ended, and give its last lines."""
    wait_until(lambda: worker.exit_code is not None, "the worker ends")
    assert worker.exit_code == 1
    assert "Traceback" not in worker.log
    return worker.log.strip().splitlines()[-1:]


def test_a_killed_worker_back_at_another_address_has_its_partitions_at_once(topics: Topics, tmp_path: Path) -> None:
    # A session timeout by which it is seen that nobody waits for it.
    settings = {**topics.settings, "session_timeout": 60}
    with Worker(tmp_path / "other", instance_id="other", **settings) as other:
        other.wait_ready()
        with Worker(tmp_path / "moving", instance_id="moving", **settings) as moving:
            moving.wait_ready()
            topics.profiles(range(20))
            mine = wait_until(lambda: owners(moving).get(moving.url), "it has partitions")
        with Worker(tmp_path / "moving", instance_id="moving", **settings) as back:
            back.wait_ready(30)
            assert back.url != moving.url
            wait_until(lambda: owners(other).get(back.url) == mine, "the other one knows its new address")
            wait_until(lambda: owners(back).get(other.url) not in (None, mine), "and it the other one's")
            back.wait_ready()
            for user in range(20):
                wait_until(lambda user=user: other.answers(f"/table/user_profiles/u{user}/"), f"u{user} is found")
            assert "Traceback" not in back.log


def test_a_second_worker_with_the_id_of_a_live_one_is_refused_in_one_line(topics: Topics, tmp_path: Path) -> None:
    with Worker(tmp_path / "first", instance_id="twin", **topics.settings) as first:
        first.wait_ready()
        with Worker(tmp_path / "second", instance_id="twin", **topics.settings) as second:
            assert ended(second) == [
                f"streamapp: STREAMAPP_INSTANCE_ID=twin is that of the worker at 127.0.0.1 ({first.url}), which is "
                "alive: give each worker one of its own"
            ]
        first.wait_ready()
        assert first.exit_code is None


@pytest.fixture
def silent() -> Iterator[tuple[str, int]]:
    """An address where connections are taken and nothing is answered, as that of a worker which is out of reach."""
    with socket.create_server(("127.0.0.3", free_port())) as server:
        yield server.getsockname()


def test_a_live_worker_that_cannot_be_asked_is_known_by_its_heartbeats(
    topics: Topics, tmp_path: Path, silent: tuple[str, int]
) -> None:
    host, port = silent
    settings = {**topics.settings, "session_timeout": 6}
    with Worker(tmp_path / "first", instance_id="twin", web_host=host, web_port=port, **settings) as first:
        first.wait_ready()
        with Worker(tmp_path / "second", instance_id="twin", **settings) as second:
            (line,) = ended(second)
            assert line.startswith("streamapp: STREAMAPP_INSTANCE_ID=twin is that of the worker at 127.0.0.1 (")
            assert "which cannot be asked whether it is alive: waiting up to 7 s for the broker to know" in second.log


def test_of_two_workers_with_one_id_one_goes_on_and_one_ends_in_one_line(topics: Topics, tmp_path: Path) -> None:
    topics.create("user_clicks", "user_profiles")
    with (
        Worker(tmp_path / "first", instance_id="twin", **topics.settings) as first,
        Worker(tmp_path / "second", instance_id="twin", **topics.settings) as second,
    ):
        both = {first, second}
        gone = wait_until(lambda: [one for one in both if one.exit_code is not None], "one of them ends")
        (line,) = ended(gone[0])
        assert "STREAMAPP_INSTANCE_ID=twin" in line
        (left,) = both - {*gone}
        left.wait_ready()
        wait_until(lambda: left.assigned()[f"{topics.prefix}user_clicks"] == [0, 1, 2, 3], "it has all partitions")
