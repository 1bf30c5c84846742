"""Records that are gone before the worker has read them: told, counted, shown, and if it is set a reason to stop."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from driven_app import DEADLINE, ours
from topics import Topics
from worker import Worker, wait_until

USERS = 5
#: Bytes of a value, which do not compress, such that a fetch brings one record, and so little is read ahead.
LARGE = 60_000


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "lost", partitions=1)
    topics.create("user_profiles", "user_clicks")
    topics.profiles(range(USERS))
    return topics


def join(topics: Topics, directory: Path, clicks: range, **settings: Any) -> None:
    """Have a worker join clicks, and stop it."""
    before = max(0, topics.end("joined_data"))
    topics.clicks(clicks, users=USERS)
    with Worker(directory, **topics.settings, **settings) as worker:
        worker.wait_ready()
        wait_until(lambda: topics.end("joined_data") >= before + len(clicks), "the clicks are joined")
        assert worker.terminate() == 0


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_clicks_deleted_unread_are_a_problem_until_somebody_acknowledges_it(
    topics: Topics, tmp_path: Path, guarantee: str
) -> None:
    settings = {**topics.settings, "processing_guarantee": guarantee}
    join(topics, tmp_path / "worker", range(30), processing_guarantee=guarantee)
    read = topics.committed("user_clicks")
    topics.clicks(range(30, 130), users=USERS)
    end = topics.end("user_clicks", isolation="read_uncommitted")
    topics.delete_records("user_clicks", end - 30)
    topic = topics.prefix + "user_clicks"
    with Worker(tmp_path / "worker", **settings) as worker:
        worker.wait_running()
        told = f"{topic}[0]: 70 records, offsets {read} to {read + 69}, were deleted before they were read"
        assert [problem.startswith(told) for problem in worker.problems()] == [True]
        assert "ERROR" in next(line for line in worker.log.splitlines() if told in line)
        assert worker.lost(topic) == 70
        assert worker.answers("/health/ready", 503)
        assert worker.post("/health/acknowledge").status == 200
        assert worker.answers("/health/ready", 200)
        wait_until(lambda: len(topics.joined()) == 60, "what was left is joined")
        worker.terminate()
    with Worker(tmp_path / "worker", **settings) as worker:
        worker.wait_ready()
        assert worker.lost(topic) == 0


def test_a_worker_stops_at_a_loss_with_one_line_and_goes_on_once_it_is_told_to(topics: Topics, tmp_path: Path) -> None:
    join(topics, tmp_path / "worker", range(30))
    topics.clicks(range(30, 130), users=USERS)
    topics.delete_records("user_clicks", 100)
    for _ in range(2):  # nothing was committed: the next start says it again
        with Worker(tmp_path / "worker", on_lost="stop", **topics.settings) as worker:
            wait_until(lambda: worker.exit_code is not None, "the worker has stopped")
            assert worker.exit_code != 0
            last = worker.log.splitlines()[-1]
            assert last.startswith("streamapp: ")
            assert "70 records, offsets 30 to 99" in last
            assert "start it once with STREAMAPP_ON_LOST=go_on" in last
            assert "Traceback" not in worker.log
    with Worker(tmp_path / "worker", **topics.settings) as worker:
        wait_until(lambda: len(topics.joined()) == 60, "what was left is joined")


def test_a_group_that_begins_after_the_first_records_were_deleted_says_which(topics: Topics, tmp_path: Path) -> None:
    topics.clicks(range(50), users=USERS)
    topics.delete_records("user_clicks", 20)
    with Worker(tmp_path / "worker", **topics.settings) as worker:
        worker.wait_ready()
        wait_until(lambda: len(topics.joined()) == 30, "what was left is joined")
        assert f"{topics.prefix}user_clicks[0] begins at offset 20" in worker.log
        assert worker.lost(topics.prefix + "user_clicks") == 0


def test_offsets_beyond_the_end_of_the_log_are_told_and_it_is_read_anew(topics: Topics, tmp_path: Path) -> None:
    topics.clicks(range(50), users=USERS)
    topic = topics.prefix + "user_clicks"
    topics.commit("user_clicks", 1_000)
    with Worker(tmp_path / "worker", **topics.settings) as worker:
        wait_until(lambda: len(topics.joined()) == 50, "all is joined")
        told = f"{topic}[0]: the group has read up to offset 1000, but the log ends before it"
        assert worker.wait_running().problems()[0].startswith(told)


def test_records_deleted_under_a_slow_agent_are_told_and_the_rest_is_read(topics: Topics, tmp_path: Path) -> None:
    topics.create("records")
    for number in range(30):
        topics.send("records", str(number), os.urandom(LARGE))
        topics.flush()
    topic = topics.prefix + "records"

    async def main() -> tuple[list[int], int]:
        app = ours(topics, tmp_path, consumer_max_fetch_size=LARGE)
        begun, goes_on, read = asyncio.Event(), asyncio.Event(), list[int]()

        @app.agent(app.topic("records", batches=True))
        async def slow(batches: Any) -> None:
            async for batch in batches:
                begun.set()
                await goes_on.wait()
                read.extend(map(int, batch.keys))

        app.loop = asyncio.get_running_loop()
        await app.start()
        try:
            await asyncio.wait_for(begun.wait(), DEADLINE)
            await asyncio.to_thread(topics.delete_records, "records", 20)
            goes_on.set()
            await asyncio.to_thread(wait_until, lambda: 29 in read, "the last record is read")
            assert [problem.startswith(f"{topic}[0]: ") for problem in app.problems()] == [True]
            return read, app.losses.records[topic]
        finally:
            await app.stop()

    read, lost = asyncio.run(main())
    assert read[-10:] == list(range(20, 30))
    assert len(read) == len(set(read))
    assert len(read) + lost == 30
    assert lost > 0


def test_rows_that_were_deleted_from_a_changelog_are_a_problem(topics: Topics, tmp_path: Path) -> None:
    join(topics, tmp_path / "worker", range(5))
    changelog = f"{topics.id}-user_profiles-changelog"
    topics.alter(changelog, {"cleanup.policy": "delete"})
    topics.delete_records(changelog, 3, full_name=True)
    topics.alter(changelog, {"cleanup.policy": "compact"})  # else a worker does not start
    with Worker(tmp_path / "another disk", **topics.settings) as worker:
        worker.wait_running()
        assert worker.problems()[0].startswith(f"{changelog}[0]: the changelog begins at offset 3")
        assert worker.lost(changelog) == 3
