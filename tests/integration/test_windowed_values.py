"""Faust's windowed tables on our App: windows expire by event time, once, also those from before a restart."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from topics import Topics
from worker import Worker, wait_until

#: A whole minute of 2023 (ms): older than the table keeps anything, by the wall clock.
OLD_MS = 1_700_000_040_000
MINUTE_MS = 60_000


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "windowed-values", partitions=1)
    topics.create("readings", "closed")
    return topics


def send(topics: Topics, sensor: str, timestamp: int, *, at: float = 0.0, times: int = 1) -> None:
    for _ in range(times):
        topics.send("readings", None, {"sensor": sensor, "at": at}, at=timestamp - topics.now)
    topics.flush()


def closed(topics: Topics) -> list[tuple[bytes, int, int]]:
    """Return which windows were closed: sensor, minutes after the beginning, count."""
    values = [(message.key(), json.loads(message.value())) for message in topics.read("closed")]
    return [(key, (int(value["start"]) * 1000 - OLD_MS) // MINUTE_MS, value["count"]) for key, value in values]


def start(topics: Topics, directory: Path) -> Worker:
    return Worker(directory, app="windowed_values_app", **topics.settings)


def test_windows_of_old_records_expire_by_the_times_of_the_records(topics: Topics, tmp_path: Path) -> None:
    with start(topics, tmp_path).wait_ready() as worker:
        send(topics, "a", OLD_MS, times=3)
        wait_until(lambda: topics.committed("readings") == 3, "they are counted")
        send(topics, "a", OLD_MS + MINUTE_MS, times=2)
        send(topics, "a", OLD_MS + 59_999)
        wait_until(lambda: topics.committed("readings") == 6, "all are counted")
        assert closed(topics) == []
        send(topics, "a", OLD_MS + 2 * MINUTE_MS)
        wait_until(lambda: closed(topics) == [(b"a", 0, 4)], "the first window is closed")
        send(topics, "a", OLD_MS + 3 * MINUTE_MS)
        wait_until(lambda: closed(topics) == [(b"a", 0, 4), (b"a", 1, 2)], "the second window is closed")
        worker.terminate()


def test_windows_from_before_a_kill_expire_as_well(topics: Topics, tmp_path: Path) -> None:
    with start(topics, tmp_path).wait_ready() as worker:
        for sensor in "ab":
            send(topics, sensor, OLD_MS, times=5)
        wait_until(lambda: topics.committed("readings") == 10, "they are counted")
        worker.kill()
    with start(topics, tmp_path / "elsewhere").wait_ready():
        send(topics, "c", OLD_MS + 2 * MINUTE_MS)
        wait_until(lambda: sorted(closed(topics)) == [(b"a", 0, 5), (b"b", 0, 5)], "both windows are closed")


@pytest.mark.parametrize("restarted", [False, True], ids=["at-once", "after-a-restart"])
def test_a_record_of_an_expired_window_is_told_and_not_counted(topics: Topics, tmp_path: Path, restarted: bool) -> None:
    with contextlib.ExitStack() as workers:
        worker = workers.enter_context(start(topics, tmp_path).wait_ready())
        send(topics, "a", OLD_MS)
        send(topics, "a", OLD_MS + 2 * MINUTE_MS + 59_000)
        wait_until(lambda: closed(topics) == [(b"a", 0, 1)], "the window is closed")
        wait_until(lambda: topics.committed("readings") == 2, "they are counted")
        if restarted:
            worker.terminate()
            worker = workers.enter_context(start(topics, tmp_path).wait_ready())
        send(topics, "a", OLD_MS + 1_000)
        wait_until(lambda: "that 'a' at 1700000041.000 belongs to has expired" in worker.log, "it is told")
        send(topics, "a", OLD_MS + 4 * MINUTE_MS)
        wait_until(lambda: len(closed(topics)) == 2, "the next window is closed")
        assert closed(topics) == [(b"a", 0, 1), (b"a", 2, 1)]


def test_a_record_far_ahead_expires_nothing(topics: Topics, tmp_path: Path) -> None:
    with start(topics, tmp_path).wait_ready():
        send(topics, "a", topics.now - 5 * MINUTE_MS)
        send(topics, "b", topics.now + 50 * MINUTE_MS)
        send(topics, "a", topics.now - 5 * MINUTE_MS)
        send(topics, "a", topics.now - 2 * MINUTE_MS)
        wait_until(lambda: [count for *_, count in closed(topics)] == [2], "the window has both records")


def test_windows_can_go_by_a_field(topics: Topics, tmp_path: Path) -> None:
    with start(topics, tmp_path).wait_ready() as worker:
        for at in (60.0, 119.0, 120.0):
            send(topics, "a", topics.now, at=at)
        wait_until(lambda: worker.get("/fields/a/").json() == {"0": 2, "60": 3, "120": 1}, "they are in their windows")
