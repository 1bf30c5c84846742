"""A record that the broker refuses for good is a dead letter with the broker's word; all others come out once."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from topics import Topics
from worker import Worker, wait_until

GUARANTEES = ["at_least_once", "exactly_once"]
#: Any timestamp, as before Kafka 4, and in Kafka 4 where somebody has set so.
ANY_TIME = {
    "message.timestamp.after.max.ms": str(2**63 - 1),
    "message.timestamp.before.max.ms": str(2**63 - 1),
    "retention.ms": "-1",
}
YEAR_2100 = 4_102_444_800_000
MICROSECONDS = 1_700_000_000_000_000
DAY = 86_400_000
LARGE = 10 << 20


def noise(size: int) -> str:
    """Text that cannot be compressed to much less: the broker judges the size of compressed batches."""
    return random.Random(0).randbytes(size).hex()[:size]


def click(number: int, user: str = "u1") -> dict[str, Any]:
    return {"click_id": f"c{number}", "user_id": user, "url": "/"}


def letters(topics: Topics) -> list[dict[str, Any]]:
    return [
        {"key": one.key(), "value": one.value(), **{name: value.decode() for name, value in one.headers()}}
        for one in topics.read("dead_letters")
    ]


def settled(topics: Topics, worker: Worker, name: str, count: int, group: str | None = None) -> None:
    """Wait until so many records are committed."""

    def committed() -> bool:
        assert worker.exit_code is None, "the worker ended"
        return topics.committed(name, group) == count

    wait_until(committed, f"{count} of {name} are committed")


@pytest.mark.parametrize("guarantee", GUARANTEES)
@pytest.mark.parametrize("at", [YEAR_2100, MICROSECONDS, -10 * DAY])
def test_a_click_whose_time_the_output_refuses_is_a_dead_letter_and_the_others_join_once(
    kafka, tmp_path: Path, guarantee: str, at: int
) -> None:
    topics = Topics(kafka.bootstrap, "time", partitions=1)
    topics.create("user_profiles", "user_clicks", config=ANY_TIME)
    topics.create("joined_data", "dead_letters", config={"message.timestamp.before.max.ms": str(7 * DAY)})
    topics.profiles([1], at=-20 * DAY)
    for number in range(10):
        topics.send("user_clicks", "u1", click(number), at=0 if number != 4 else at if at < 0 else at - topics.now)
    topics.flush()
    with Worker(tmp_path, processing_guarantee=guarantee, profile_ttl=0, **topics.settings) as worker:
        settled(topics, worker, "user_clicks", 10)
        topics.send("user_clicks", "u1", click(10))
        topics.flush()
        settled(topics, worker, "user_clicks", 11)
        assert worker.terminate() == 0
    assert topics.joined() == Counter(f"c{number}" for number in range(11) if number != 4)
    (letter,) = letters(topics)
    assert (letter["reason"], letter["offset"], json.loads(letter["value"])) == ("invalid_timestamp", "4", click(4))
    assert letter["topic"] == topics.prefix + "user_clicks"
    assert letter["error"].startswith(f"{topics.prefix}joined_data refuses the result: INVALID_TIMESTAMP: ")
    assert int(letter["timestamp"]) == (at if at > 0 else topics.now + at)


def make_changelog(topics: Topics, config: dict[str, str]) -> None:
    """Make the changelog of the profiles, as somebody else may have made it."""
    name = f"{topics.id}-user_profiles-changelog"
    new = NewTopic(name, 1, 1, config={"cleanup.policy": "compact", "max.message.bytes": str(8 << 20), **config})
    admin = AdminClient({"bootstrap.servers": topics.bootstrap})
    admin.create_topics([new])[name].result(30)


HOUR_AHEAD = {"message.timestamp.after.max.ms": "3600000"}
ROWS = {
    # What the changelog is made with, and the profile's name, its time, and the reason.
    "too large": ({}, noise(LARGE), 0, "too_large"),
    "too large uncompressed": ({"compression.type": "uncompressed"}, "x" * LARGE, 0, "too_large"),
    "from the future": (HOUR_AHEAD, "one", YEAR_2100, "invalid_timestamp"),
}


@pytest.mark.parametrize("guarantee", GUARANTEES)
@pytest.mark.parametrize("row", ROWS)
def test_a_profile_that_the_changelog_refuses_is_a_dead_letter_and_the_one_before_it_stays(
    kafka, tmp_path: Path, guarantee: str, row: str
) -> None:
    config, name, at, reason = ROWS[row]
    topics = Topics(kafka.bootstrap, "row", partitions=1)
    topics.create("user_profiles", "user_clicks", config={"max.message.bytes": "15000000", **ANY_TIME})
    make_changelog(topics, config)
    topics.profiles([1, 2])
    topics.send("user_profiles", "u1", {"user_id": "u1", "name": name}, at=at and at - topics.now)
    topics.clicks([1, 2], users=3, at=1)
    topics.profiles([3, 4])
    with Worker(tmp_path, processing_guarantee=guarantee, profile_ttl=0, **topics.settings) as worker:
        settled(topics, worker, "user_profiles", 5)
        settled(topics, worker, "user_clicks", 2)
        topics.clicks([4, 5, 6], users=3, at=2)
        settled(topics, worker, "user_clicks", 5)
        worker.wait_ready()
        assert worker.terminate() == 0
    assert topics.joined() == Counter(["c1", "c2", "c4", "c5"])
    names = {json.loads(one.value())["profile"]["name"] for one in topics.read("joined_data")}
    assert names == {"name 1", "name 2"}
    assert len(topics.read("unmatched_clicks")) == 1
    assert sorted(topics.table("user_profiles")) == [b"u1", b"u2", b"u3", b"u4"]
    (letter,) = letters(topics)
    assert (letter["reason"], letter["key"], letter["offset"]) == (reason, b"u1", "2")
    assert letter["topic"] == topics.prefix + "user_profiles"
    assert f"the changelog {topics.id}-user_profiles-changelog takes no row" in letter["error"]
