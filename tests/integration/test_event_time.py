"""Clicks and profiles meet by their event times, and what has to wait for that takes little memory."""

from __future__ import annotations

import json
import re
from pathlib import Path

from topics import Topics
from worker import Worker, wait_until

#: Clicks that wait, and bytes of padding in each: 120 MB in all.
WAITING, PADDING = 200_000, 500
BUFFER = 1 << 20


def test_in_a_backlog_each_click_joins_the_profile_of_its_time(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "versions")
    topics.create("user_profiles", "user_clicks")
    for version in range(20):
        topics.profiles(range(100), at=1_000 * version, name=str(version))
    for version in range(20):
        topics.clicks(range(100 * version, 100 * version + 100), users=100, at=1_000 * version + 500 - version)
    with Worker(tmp_path, **topics.settings):
        wait_until(lambda: topics.end("joined_data") == 2_000, "all clicks are joined")
    for message in topics.read("joined_data"):
        result = json.loads(message.value())
        number = int(result["click"]["click_id"][1:])
        assert result["profile"]["name"] == f"{number // 100} {number % 100}"


def memory(pid: int) -> int:
    """The most memory that a process had (bytes, resident)."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) * 1024


def held(worker: Worker) -> float:
    found = re.search(r"^streamapp_records_held (\S+)$", worker.get("/metrics").body.decode(), re.MULTILINE)
    assert found is not None
    return float(found[1])


def test_clicks_that_wait_for_profiles_take_no_more_memory_than_the_buffer_allows(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "waiting", partitions=1)
    topics.create("user_profiles", "user_clicks")
    padding = "x" * PADDING
    with Worker(tmp_path, max_idle=3600, buffer=BUFFER, **topics.settings) as worker:
        worker.wait_ready()
        before = memory(worker.pid)
        for number in range(WAITING):
            click = {"click_id": f"c{number}", "user_id": "u", "url": padding}
            topics.send("user_clicks", "u", click, at=number // 100)
        topics.flush()
        wait_until(lambda: held(worker) > 0, "clicks wait")
        # One buffer's worth of bytes waits as it was fetched, and one as records: with some of each to spare.
        assert memory(worker.pid) - before < 32 * BUFFER
        assert topics.end("unmatched_clicks") == 0
        topics.send("user_profiles", "u", {"user_id": "u", "name": "n"}, at=WAITING)
        topics.flush()
        wait_until(lambda: topics.end("unmatched_clicks") == WAITING, "a later profile lets the clicks go")
        assert worker.terminate() == 0
