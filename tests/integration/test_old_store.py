"""A store from long ago: its changelog does not tell any more what was deleted since, so it is rebuilt."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafkas import running_kafka
from topics import Topics
from worker import Worker, wait_until

from streamapp.embedded_kafka import EmbeddedKafka

USERS = 10
#: A changelog whose tombstones are gone as soon as it is compacted, and a broker that compacts all the time.
COMPACTED = {
    "cleanup.policy": "compact",
    "delete.retention.ms": "0",
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0",
}
BUSY_CLEANER = {"log.cleaner.backoff.ms": "100"}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """A Kafka that compacts soon."""
    with running_kafka(tmp_path_factory.mktemp("compacting"), BUSY_CLEANER) as broker:
        yield broker


def compact(topics: Topics, gone: set[bytes]) -> None:
    """Wait until no record of these keys is in the changelog; its last segment is not compacted, so it gets others.

    A segment ends with a record that is newer than its first one by more than ``segment.ms``.
    """
    changelog, later = f"{topics.id}-user_profiles-changelog", itertools.count(1_000, 1_000)

    def is_gone() -> bool:
        topics.profiles([0], at=next(later))
        return gone.isdisjoint(message.key() for message in topics.read(changelog, full_name=True))

    wait_until(is_gone, "the deleted rows' records are compacted away")


def test_profiles_deleted_on_another_disk_do_not_come_back_with_an_old_one(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "old", partitions=1)
    topics.create("user_profiles", "user_clicks")
    topics.create_changelog("user_profiles", COMPACTED)
    topics.profiles(range(USERS))
    settings = {**topics.settings, "profile_ttl": 0}
    with Worker(tmp_path / "disk A", **settings) as worker:
        wait_until(lambda: len(topics.table("user_profiles")) == USERS, "the profiles are in the table")
        assert worker.terminate() == 0
    deleted = [f"u{user}" for user in range(USERS // 2, USERS)]
    with Worker(tmp_path / "disk B", **settings) as worker:
        for user in deleted:
            topics.send("user_profiles", user, None)
        topics.flush()
        wait_until(lambda: len(topics.table("user_profiles")) == USERS // 2, "half of the profiles are deleted")
        compact(topics, {user.encode() for user in deleted})
        assert worker.terminate() == 0
    with Worker(tmp_path / "disk A", **settings) as worker:
        worker.wait_ready()
        topics.clicks(range(USERS), users=USERS)
        wait_until(lambda: topics.end("unmatched_clicks") == USERS // 2, "clicks of deleted profiles do not join")
        wait_until(lambda: len(topics.joined()) == USERS // 2, "the others do")
        assert re.search(
            r"it was in step with the changelog [\d.]+ (seconds|minutes) ago, longer than tombstones", worker.log
        )
        assert re.search(
            r"The store of \S+-user_profiles-changelog\[0\] is rebuilt: about \d+ rows, in [\d.]+ s", worker.log
        )


def test_a_store_is_kept_if_its_changelog_got_nothing_since(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "still", partitions=1)
    topics.create("user_profiles", "user_clicks")
    topics.create_changelog("user_profiles", COMPACTED)
    topics.profiles(range(USERS))
    for recovery in (f"{USERS}|0", "0"):
        with Worker(tmp_path / "worker", **topics.settings) as worker:
            wait_until(lambda: len(topics.table("user_profiles")) == USERS, "the profiles are in the table")
            worker.wait_ready()
            assert re.findall(r"Ready: 1 table partitions, (\d+) changelog", worker.log)[-1] in recovery.split("|")
            assert "rebuilt" not in worker.log
            assert worker.terminate() == 0
