"""What an agent raises on is neither skipped nor does it stop anything."""

from __future__ import annotations

from pathlib import Path

from topics import Topics
from worker import Worker, wait_until


def test_the_record_at_fault_is_a_dead_letter_and_every_other_one_is_processed_once(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "failing", partitions=1)
    topics.create("user_clicks", "user_profiles")
    for number in range(100):
        topics.send("user_clicks", "key", b"poison" if number in {17, 71} else b"%d" % number)
    topics.flush()
    with Worker(tmp_path, app="failing_app", **topics.settings) as worker:
        wait_until(lambda: topics.end("dead_letters") == 2, "both poisoned records are dead letters")
        wait_until(lambda: topics.end("joined_data") == 98, "all others are processed")
        wait_until(lambda: topics.committed("user_clicks") == 100, "all are committed")
        assert worker.terminate() == 0
    letters = topics.read("dead_letters")
    headers = [dict(letter.headers()) for letter in letters]
    assert [letter.value() for letter in letters] == [b"poison", b"poison"]
    assert [(one["offset"], one["reason"]) for one in headers] == [(b"17", b"agent_failed"), (b"71", b"agent_failed")]
    assert all(b"there is poison in it" in one["error"] for one in headers)
    assert all(one["traceback"].startswith(b"Traceback") for one in headers)
    results = [int(message.value()) for message in topics.read("joined_data")]
    assert sorted(results) == [number for number in range(100) if number not in {17, 71}]


def test_by_setting_the_worker_stops_at_a_failing_record_and_commits_up_to_it(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "stopping", partitions=1)
    topics.create("user_clicks", "user_profiles")
    topics.send("user_clicks", "key", b"0")
    topics.flush()
    with Worker(tmp_path, app="failing_app", on_failure="stop", **topics.settings) as worker:
        wait_until(lambda: topics.end("joined_data") == 1, "the first one is processed")
        topics.send("user_clicks", "key", b"poison")
        topics.flush()
        wait_until(lambda: worker.exit_code is not None, "the worker ends")
        assert worker.exit_code != 0
        assert "there is poison in it" in worker.log
    assert topics.committed("user_clicks") == 1
    assert topics.end("dead_letters") <= 0


def test_what_a_failing_agent_did_with_a_batch_leaves_nothing_behind(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "half", partitions=1)
    topics.create("user_clicks", "user_profiles")
    for number in range(10):
        topics.send("user_clicks", "key", b"late poison" if number == 5 else b"%d" % number)
    topics.flush()
    with Worker(tmp_path, app="failing_app", **topics.settings):
        wait_until(lambda: topics.committed("user_clicks") == 10, "all are done with")
    results = [int(message.value()) for message in topics.read("joined_data")]
    assert sorted(results) == [number for number in range(10) if number != 5]
