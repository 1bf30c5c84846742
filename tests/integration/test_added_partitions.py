"""Partitions that are added to topics: the worker notices, and the tables' rows go along."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic
from topics import Topics
from worker import Worker, wait_until

#: Rows that are moved, and users that click.
ROWS, USERS = 100_000, 50
JOIN = ["join", "--left=orders", "--right=customers", "--on=customer_id", "--repartition=left", "--to=joined"]


@pytest.fixture
def topics(kafka) -> Topics:
    return Topics(kafka.bootstrap, "added", partitions=4)


def add_partitions(topics: Topics, count: int, *names: str) -> None:
    admin = AdminClient({"bootstrap.servers": topics.bootstrap})
    for added in admin.create_partitions([NewPartitions(name, count) for name in names]).values():
        added.result(30)


def reopened(topics: Topics) -> Topics:
    """Give the topics with a producer that has not heard of their partitions yet."""
    other = Topics(topics.bootstrap, "again", topics.partitions)
    other.id, other.prefix, other.now = topics.id, topics.prefix, topics.now
    return other


def repartition(topics: Topics, *options: str, fails: bool = False) -> str:
    environment = {f"STREAMAPP_{name.upper()}": str(value) for name, value in topics.settings.items()}
    done = subprocess.run(
        [sys.executable, "-m", "streamapp", "repartition", *options],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (int(fails), False), done.stderr
    return (done.stderr if fails else done.stdout).replace(topics.prefix, "")


def last_line(directory: Path, topics: Topics) -> str:
    """Start a worker that cannot start, and give its last line."""
    with Worker(directory, **topics.settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker ends")
        assert worker.exit_code == 1
        return worker.log.strip().splitlines()[-1].replace(topics.prefix, "")


def places(topics: Topics) -> dict[bytes, set[int]]:
    """Give the partitions in which keys have rows, as the changelog has them."""
    rows: dict[tuple[bytes, int], bytes | None] = {}
    for message in topics.read(f"{topics.id}-user_profiles-changelog", full_name=True):
        rows[message.key(), message.partition()] = message.value()
    found: dict[bytes, set[int]] = {}
    for (key, partition), value in rows.items():
        if value is not None:
            found.setdefault(key, set()).add(partition)
    return found


def test_a_worker_stops_and_after_the_move_all_clicks_find_their_profiles(topics: Topics, tmp_path: Path) -> None:
    topics.create("user_profiles", "user_clicks")
    topics.profiles(range(ROWS))
    topics.send("user_profiles", "u7", None, at=1)  # who is gone stays gone
    topics.clicks(range(USERS), users=USERS, at=1)
    with Worker(tmp_path, **topics.settings) as worker:
        wait_until(lambda: topics.end("joined_data") == USERS - 1, "the clicks are joined")
        assert "workers of" in repartition(topics, "--execute", fails=True)
        add_partitions(topics, 6, f"{topics.prefix}user_profiles", f"{topics.prefix}user_clicks")
        wait_until(lambda: worker.exit_code is not None, "the worker stops", 60)
        assert worker.exit_code != 0
        log = worker.log.replace(topics.prefix, "")
        assert re.search(r"user_\w+ has 6 partitions now, not 4.*`streamapp repartition", log)
        assert "Traceback" not in log

    later = reopened(topics)
    later.clicks(range(USERS, 2 * USERS), users=USERS, at=2)
    refused = last_line(tmp_path, topics)
    assert "has 6 partitions, but the changelog" in refused
    assert "`streamapp repartition` shows how to move" in refused

    planned = repartition(topics)
    assert re.search(r"user_profiles: 66,\d{3} of 99,999 rows of \S+ move, from 4 to 6 partitions", planned)
    assert "nothing was changed: --execute does it" in planned
    done = repartition(topics, "--execute")
    print(done)
    assert "workers can be started" in done
    assert "nothing to be moved" in repartition(topics)

    with Worker(tmp_path, **topics.settings) as worker:
        wait_until(lambda: topics.end("joined_data") == 2 * (USERS - 1), "the later clicks are joined")
        wait_until(lambda: topics.end("unmatched_clicks") == 2, "and those of who is gone are not")
        assert worker.answers("/table/user_profiles/u8/", 200)
        assert worker.terminate() == 0
    assert topics.joined() == {f"c{number}": 1 for number in range(2 * USERS) if number % USERS != 7}
    found = places(topics)
    assert len(found) == ROWS - 1
    assert all(len(partitions) == 1 for partitions in found.values())
    times = {m.timestamp()[1] for m in topics.read(f"{topics.id}-user_profiles-changelog", full_name=True) if m.value()}
    assert times == {topics.now}


def test_a_move_that_was_broken_off_stops_workers_and_is_done_by_the_next_one(topics: Topics, tmp_path: Path) -> None:
    topics.create("user_profiles", "user_clicks")
    topics.profiles(range(100))
    with Worker(tmp_path, **topics.settings) as worker:
        wait_until(lambda: len(topics.table("user_profiles")) == 100, "the profiles are kept")
        assert worker.terminate() == 0
    changelog = f"{topics.id}-user_profiles-changelog"
    admin = AdminClient({"bootstrap.servers": topics.bootstrap})
    admin.create_topics([NewTopic(f"{changelog}-moving", 4, 1)])[f"{changelog}-moving"].result(30)
    add_partitions(topics, 8, f"{topics.prefix}user_profiles", f"{topics.prefix}user_clicks", changelog)
    wait_until(lambda: "being moved to other partitions" in last_line(tmp_path, topics), "the worker does not start")
    repartition(topics, "--execute")
    reopened(topics).clicks(range(100), users=100, at=1)
    with Worker(tmp_path, **topics.settings):
        wait_until(lambda: topics.end("joined_data") == 100, "all clicks are joined")


@pytest.mark.parametrize("grown", [["user_profiles", "user_clicks"], []], ids=["with-its-topics", "alone"])
def test_rows_of_a_changelog_that_got_partitions_by_hand_are_moved_too(
    topics: Topics, tmp_path: Path, grown: list[str]
) -> None:
    topics.create("user_profiles", "user_clicks")
    topics.profiles(range(100))
    with Worker(tmp_path, **topics.settings) as worker:
        wait_until(lambda: topics.committed("user_profiles") == 100, "the profiles are kept")
        assert worker.terminate() == 0
    add_partitions(topics, 8, f"{topics.id}-user_profiles-changelog", *(topics.prefix + name for name in grown))
    told = "and had 4 when the rows were written" if grown else "has 4 partitions, but the changelog"
    assert told in last_line(tmp_path, topics)
    planned = repartition(topics, "--partitions", "8", "--execute")
    assert re.search(r"user_profiles: \d\d of 100 rows of \S+ move, from 4 to 8 partitions", planned)
    assert "nothing to be moved" in repartition(topics)
    reopened(topics).clicks(range(100), users=100, at=1)
    with Worker(tmp_path, **topics.settings):
        wait_until(lambda: topics.end("joined_data") == 100, "all clicks are joined")


def test_partitions_are_added_by_the_move_too_but_not_before_all_is_read(topics: Topics, tmp_path: Path) -> None:
    topics.create("user_profiles", "user_clicks")
    topics.profiles(range(100))
    with Worker(tmp_path, **topics.settings) as worker:
        wait_until(lambda: len(topics.table("user_profiles")) == 100, "the profiles are kept")
        assert worker.terminate() == 0
    topics.clicks(range(100), users=100, at=1)
    told = repartition(topics, "--partitions", "8", "--execute", fails=True)
    assert "records that are not read yet would miss their rows" in told
    told = repartition(topics, "--partitions", "8", "--execute", "--leave-unread")
    assert "user_clicks: partitions are added, from 4 to 8" in told
    assert re.search(r"user_clicks: \d+ records are not read yet", told)
    reopened(topics).clicks(range(100, 200), users=100, at=2)
    with Worker(tmp_path, **topics.settings):
        wait_until(lambda: topics.end("joined_data") == 200, "clicks before and after are joined")


def test_a_topic_that_is_only_repartitioned_may_get_more_and_one_with_state_may_not(
    topics: Topics, tmp_path: Path
) -> None:
    topics.create("orders", "customers")
    topics.send("customers", "c1", {"customer_id": "c1"})
    topics.send("orders", "o1", {"order": 1, "customer_id": "c1"}, at=1)
    topics.flush()
    with Worker(tmp_path, command=JOIN, **topics.settings) as worker:
        wait_until(lambda: topics.end("joined") == 1, "an order is joined")
        add_partitions(topics, 5, f"{topics.prefix}orders")
        later = reopened(topics)
        later.send("orders", "o2", {"order": 2, "customer_id": "c1"}, at=2, partition=4)
        later.flush()
        wait_until(lambda: topics.end("joined") == 2, "one of a new partition is joined, too", 60)
        add_partitions(topics, 5, f"{topics.prefix}customers")
        wait_until(lambda: worker.exit_code is not None, "the worker stops", 60)
        assert "customers has 5 partitions now, not 4" in worker.log.replace(topics.prefix, "")
        assert "the state of a join or of windows cannot be moved: with all workers stopped" in worker.log
        assert "Traceback" not in worker.log
    assert {json.loads(each.value())["left"]["order"] for each in topics.read("joined")} == {1, 2}
