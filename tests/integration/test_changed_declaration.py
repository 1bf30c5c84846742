"""A join is started again with other options, or on offsets that were set by hand: right results, or one line."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from orders import TABLE, order, with_customers
from topics import Topics
from worker import Worker, wait_until

from streamapp.kafka.commit_metadata import CommitMetadata
from streamapp.settings import Guarantee

WINDOWS = f"{TABLE} --before 10m --after 10m --grace 1m"


@pytest.fixture
def topics(kafka) -> Topics:
    return with_customers(kafka.bootstrap, "changed")


def run(topics: Topics, directory: Path, command: str, results: int) -> None:
    """Run a join until there are so many results, and its input is committed."""
    with Worker(directory, command=command.split(), **topics.settings) as worker:
        wait_until(lambda: topics.end("joined") >= results, f"{results} results")
        wait_until(lambda: topics.committed("orders", group(topics)) == topics.end("orders"), "all is committed")
        worker.terminate()


def refused(topics: Topics, directory: Path, command: str) -> str:
    """Run a join that ends by itself, and return the last line that it says."""
    with Worker(directory, command=command.split(), **topics.settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker ends")
        assert worker.exit_code != 0
        log = worker.log
    assert "Traceback" not in log
    last = log.splitlines()[-1]
    assert last.startswith("streamapp: "), log
    return last.replace(topics.prefix, "").replace(topics.id, "app")


def group(topics: Topics) -> str:
    return f"{topics.id}-joined"


def joined(topics: Topics) -> Counter[tuple[int, str | None]]:
    values = [json.loads(message.value()) for message in topics.read("joined")]
    return Counter((value["left"]["order"], value["right"] and value["right"]["name"]) for value in values)


def set_offsets(topics: Topics, name: str, offset: int | None, metadata: str | None = None) -> None:
    """Commit an offset for all partitions of a topic, as Kafka's own tools do; None = their ends."""
    consumer = Consumer({"bootstrap.servers": topics.bootstrap, "group.id": group(topics), "log_level": 0})
    extra: dict[str, Any] = {} if metadata is None else {"metadata": metadata}
    ends = topics.ends(name)
    tps = [
        TopicPartition(topics.prefix + name, tp, end if offset is None else offset, **extra) for tp, end in ends.items()
    ]
    wait_until(lambda: all(tp.error is None for tp in consumer.commit(offsets=tps, asynchronous=False)), "committed")
    consumer.close()


def test_a_table_join_does_not_get_a_history_or_windows_and_goes_on_as_it_was(topics: Topics, tmp_path: Path) -> None:
    order(topics, range(10))
    run(topics, tmp_path / "first", TABLE, 10)
    for changed, told in (
        (f"{TABLE} --history 1h", "a join of a stream with a versioned table (how left, ttl 0, history 1h)"),
        (WINDOWS, "a join of two streams (before 10m, after 10m, grace 1m, how left)"),
    ):
        line = refused(topics, tmp_path / told[:20], changed)
        assert "join orders-customers-join cannot go on with its state: it is that of a join of a stream with a" in line
        assert f"plain table (how left, ttl 0), and not of {told}" in line
        assert "`streamapp reset --group app-joined` begins with an empty state" in line
    order(topics, range(10, 20), at=2)
    run(topics, tmp_path / "first", f"{TABLE} --ttl 1h", 20)
    assert joined(topics) == Counter((number, f"name {number % 10}") for number in range(20))


def test_larger_windows_go_on_with_the_pairs_that_wait_and_say_what_is_missing(topics: Topics, tmp_path: Path) -> None:
    run_once = f"{TABLE} --before 1m --after 1m --grace 1m"
    order(topics, range(10), at=30_000)
    run(topics, tmp_path, run_once, 10)
    order(topics, range(10, 20), at=200_000)
    with Worker(tmp_path, command=WINDOWS.split(), **topics.settings) as worker:
        wait_until(lambda: topics.end("joined") == 20, "the new orders join what has not left the state")
        assert (
            "before 1m → 10m, after 1m → 10m: pairs with records that had left the state before are missing"
            in worker.log
        )


@pytest.mark.parametrize("guarantee", Guarantee)
def test_offsets_that_are_set_back_by_hand_under_a_windowed_join_are_refused(
    topics: Topics, tmp_path: Path, guarantee: Guarantee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Topics, "settings", topics.settings | {"processing_guarantee": guarantee})
    order(topics, range(10))
    run(topics, tmp_path / "first", WINDOWS, 10)
    set_offsets(topics, "orders", 0)
    line = refused(topics, tmp_path / "again", WINDOWS)
    assert "offsets were set back by hand (orders[0] from " in line
    assert " to 0, and 1 more), but the state of the join orders-customers-join has taken in" in line
    assert sum(joined(topics).values()) == 10


def test_a_worker_that_was_killed_between_its_changelog_and_its_offsets_goes_on(topics: Topics, tmp_path: Path) -> None:
    order(topics, range(10))
    run(topics, tmp_path / "first", WINDOWS, 10)
    set_offsets(topics, "orders", 1, str(CommitMetadata()))
    order(topics, range(10, 20), at=2)
    run(topics, tmp_path / "first", WINDOWS, 20)
    assert {number for number, _ in joined(topics)} == set(range(20))


def test_records_that_are_skipped_by_hand_are_counted_and_a_problem(topics: Topics, tmp_path: Path) -> None:
    order(topics, range(10))
    run(topics, tmp_path, TABLE, 10)
    order(topics, range(10, 30), at=2)
    set_offsets(topics, "orders", None)
    with Worker(tmp_path, command=TABLE.split(), **topics.settings) as worker:
        wait_until(lambda: worker.answers("/health", 503), "the web server is there")
        (problem,) = wait_until(lambda: worker.get("/health").json()["problems"], "there is a problem")
    assert "20 records were skipped: offsets were set forward by hand (" in problem


def test_a_group_whose_offsets_are_gone_goes_on_from_what_its_state_has_taken_in(
    topics: Topics, tmp_path: Path
) -> None:
    order(topics, range(10))
    run(topics, tmp_path, WINDOWS, 10)
    admin = AdminClient({"bootstrap.servers": topics.bootstrap, "log_level": 0})
    admin.delete_consumer_groups([group(topics)])[group(topics)].result(30)
    order(topics, range(10, 20), at=2)
    with Worker(tmp_path, command=WINDOWS.split(), **topics.settings) as worker:
        wait_until(lambda: topics.end("joined") >= 20, "the new orders are joined")
        wait_until(lambda: topics.committed("orders", group(topics)) == 20, "all is committed")
        assert "going on from what the state has taken in" in worker.log
    assert joined(topics) == Counter((number, f"name {number % 10}") for number in range(20))


def test_a_join_whose_changelog_was_deleted_is_refused_since_its_table_is_gone(topics: Topics, tmp_path: Path) -> None:
    order(topics, range(10))
    run(topics, tmp_path / "first", TABLE, 10)
    topics.delete(f"{group(topics)}-orders-customers-join-changelog", full_name=True)
    line = refused(topics, tmp_path / "again", TABLE)
    assert "the join orders-customers-join is new, or its changelog was deleted, but the group has read before" in line
    assert "what its table is made of (customers[" in line


def test_an_app_may_not_read_other_topics_than_those_of_its_tables_rows(topics: Topics, tmp_path: Path) -> None:
    topics.create("user_clicks", "user_profiles", "new.user_clicks", "new.user_profiles")
    topics.profiles(range(5))
    with Worker(tmp_path, **topics.settings) as worker:
        wait_until(lambda: topics.committed("user_profiles") == 5, "the profiles are read")
        worker.terminate()
    with Worker(tmp_path, **topics.settings | {"topic_prefix": f"{topics.prefix}new."}) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker ends")
        last = worker.log.splitlines()[-1].replace(topics.prefix, "")
    assert last.startswith(
        "streamapp: the group has read user_clicks, user_profiles so far, and the table user_profiles"
    )
    assert "now it is to read new.user_clicks, new.user_profiles; `streamapp reset` begins with an empty state" in last
