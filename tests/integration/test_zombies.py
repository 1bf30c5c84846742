"""A worker that was frozen until others had its partitions, and wakes up amid a commit (a zombie)."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from topics import Topics
from worker import Worker, wait_until


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "zombie", partitions=1)
    topics.create("user_clicks")
    return topics


def is_stopped(worker: Worker) -> bool:
    return Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_rows_of_a_worker_that_wakes_up_too_late_do_not_overwrite_newer_ones(topics: Topics, tmp_path: Path) -> None:
    changelog = f"{topics.id}-counts-changelog"

    def worker(name: str, **environment: str) -> Worker:
        settings: dict[str, Any] = {**topics.settings, "session_timeout": 6}
        return Worker(tmp_path / name, app="freezing_app", environment=environment, **settings)

    def counted() -> list[int]:
        return [int(message.value()) for message in topics.read(changelog, full_name=True)]

    def send(count: int) -> None:
        for number in range(count):
            topics.send("user_clicks", "k", number)
        topics.flush()

    with worker("frozen", FREEZES="1") as frozen:
        frozen.wait_ready()
        send(10)
        wait_until(lambda: is_stopped(frozen), "the worker is frozen with rows that are not sent")
        with worker("other") as other:
            send(5)
            wait_until(lambda: topics.committed("user_clicks") == 15, "the other worker goes on")
            assert counted()[-1] == 15
            os.kill(frozen.pid, signal.SIGCONT)
            wait_until(lambda: "member_id was not recognized" in frozen.log, "it learns that it was taken for dead")
            frozen.wait_ready()
            send(1)
            wait_until(lambda: topics.committed("user_clicks") == 16, "one of them goes on")
            assert counted()[-1] == 16
            assert counted() == sorted(counted())
            assert "another worker has its partitions now" in frozen.log
            assert (frozen.terminate(), other.terminate()) == (0, 0)
