"""What users of Faust, Quix Streams and Kafka Streams lost or had twice, tried here."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ports import free_port
from topics import Topics
from worker import Worker, wait_until

from streamapp.embedded_kafka import EmbeddedKafka

USERS = 1_000
#: Rows enough that reading them from the changelog takes a while.
MANY = 100_000
INPUTS = ("user_clicks", "user_profiles")


def settings(topics: Topics, **more: object) -> dict[str, Any]:
    return {**topics.settings, "profile_ttl": 0, "session_timeout": 6, **more}


def joined(topics: Topics, clicks: int) -> bool:
    return topics.end("joined_data") >= clicks


def once_each(clicks: int) -> dict[str, int]:
    return {f"c{number}": 1 for number in range(clicks)}


@pytest.fixture
def filled(kafka, tmp_path: Path) -> Topics:
    """Topics whose profiles are in a changelog, and none of whose clicks is read."""
    topics = Topics(kafka.bootstrap, "elsewhere")
    topics.create(*INPUTS)
    topics.profiles(range(MANY))
    with Worker(tmp_path / "filler", **settings(topics, store="memory://")) as filler:
        wait_until(lambda: topics.committed("user_profiles") == MANY, "the profiles are in the changelog")
        assert filler.terminate() == 0
    return topics


@pytest.mark.parametrize("store", ["memory://", "rocksdb://"])
def test_a_stop_amid_a_restore_leaves_no_row_out(filled: Topics, tmp_path: Path, store: str) -> None:
    """KAFKA-16017: the offset of a store that was closed amid its restore was that of the changelog's end."""
    for _ in range(4):
        with Worker(tmp_path / "stopped", **settings(filled, store=store)) as stopped:
            wait_until(lambda: stopped.answers("/health/live"), "it answers")
            wait_until(lambda: stopped.get("/health/live").json()["state"] in {"recovering", "ready"}, "it recovers")
            stopped.terminate()
    filled.clicks(range(MANY), users=MANY)
    with Worker(tmp_path / "stopped", **settings(filled, store=store)):
        wait_until(lambda: filled.committed("user_clicks") == MANY, "the clicks are read")
    assert filled.joined() == once_each(MANY)


def test_workers_that_start_together_on_a_full_changelog_miss_no_match(filled: Topics, tmp_path: Path) -> None:
    """quix-streams#1146: each worker that came rebalanced the others amid their recovery."""
    filled.clicks(range(MANY), users=MANY)
    with ExitStack() as stack:
        for number in range(4):
            stack.enter_context(Worker(tmp_path / str(number), **settings(filled)))
        wait_until(lambda: filled.committed("user_clicks") == MANY, "the clicks are read")
    assert set(filled.joined()) == set(once_each(MANY))
    assert filled.end("unmatched_clicks") <= 0


def test_with_standbys_exactly_once_workers_killed_in_turn_double_nothing(kafka, tmp_path: Path) -> None:
    """KAFKA-12540, KAFKA-8187: rows were lost when tasks went to a worker with a standby."""
    topics = Topics(kafka.bootstrap, "elsewhere")
    topics.create(*INPUTS)
    topics.profiles(range(USERS))
    options = settings(topics, standbys=1, processing_guarantee="exactly_once")
    sent = 0
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(tmp_path / str(number), **options)) for number in range(2)]
        for turn in (0, 1, 0, 1):
            for worker in workers:
                wait_until(lambda worker=worker: "Standby: " in worker.log, "it keeps the other one's rows")
            topics.clicks(range(sent, sent := sent + 5_000), users=USERS)
            workers[turn].kill()
            topics.profiles(range(USERS), name=f"turn {turn}")
            topics.clicks(range(sent, sent := sent + 5_000), users=USERS)
            workers[turn] = stack.enter_context(Worker(tmp_path / f"{turn} after {sent}", **options))
        wait_until(lambda: topics.committed("user_clicks") == sent, "the clicks are read")
        # A transaction ends in one partition after the other: offsets may be committed before the last results are.
        wait_until(lambda: topics.joined().total() >= sent, "and joined")
    assert topics.joined() == once_each(sent)


def test_a_restart_goes_on_though_one_of_the_joined_topics_has_nothing_new(kafka, tmp_path: Path) -> None:
    """quix-streams#1116: records waited for ever for a topic that was read to its end before the restart."""
    topics = Topics(kafka.bootstrap, "elsewhere")
    topics.create(*INPUTS)
    topics.profiles(range(USERS))
    topics.clicks(range(10), users=USERS)
    with Worker(tmp_path, **settings(topics)) as first:
        wait_until(lambda: topics.committed("user_clicks") == 10, "all is read")
        assert first.terminate() == 0
    topics.clicks(range(10, 20), users=USERS)
    with Worker(tmp_path, **settings(topics)):
        wait_until(lambda: joined(topics, 20), "the new clicks join")
    assert topics.joined() == once_each(20)


def test_a_hundred_partitions_move_between_workers_without_a_click_lost(kafka, tmp_path: Path) -> None:
    """robinhood/faust#402, faust-streaming#175: with many partitions consumers hung after a rebalance."""
    topics = Topics(kafka.bootstrap, "elsewhere", partitions=100)
    topics.create(*INPUTS)
    topics.profiles(range(USERS))
    sent = 0
    with ExitStack() as stack:
        for number in range(3):
            topics.clicks(range(sent, sent := sent + 10_000), users=USERS)
            worker = stack.enter_context(Worker(tmp_path / str(number), **settings(topics)))
            wait_until(lambda worker=worker: worker.wait_ready().assigned(), "it has partitions")
        topics.clicks(range(sent, sent := sent + 10_000), users=USERS)
        worker.terminate()
        wait_until(lambda: topics.committed("user_clicks") == sent, "the clicks are read")
    assert set(topics.joined()) == set(once_each(sent))


def test_another_cluster_at_the_same_address_is_begun_anew(tmp_path: Path) -> None:
    """faust-streaming#602: with another cluster behind the address consumers stood still."""

    async def clicks_joined_by(directory: Path, port: int) -> int:
        async with EmbeddedKafka(directory, port=port) as broker:
            topics = Topics(broker.bootstrap, "cluster")
            topics.id, topics.prefix = "cluster", "cluster."
            topics.create(*INPUTS)
            topics.profiles(range(USERS))
            topics.clicks(range(USERS), users=USERS)
            with Worker(tmp_path / "worker", **settings(topics)) as worker:
                await asyncio.to_thread(wait_until, lambda: joined(topics, USERS), "all clicks join")
                worker.terminate()
                return len(topics.joined())

    port = free_port()
    for directory in ("one", "two"):
        assert asyncio.run(clicks_joined_by(tmp_path / directory, port)) == USERS
