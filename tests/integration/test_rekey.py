"""Topics that are not keyed by the user id join all the same, by ``STREAMAPP_REKEY``."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from topics import Topics
from worker import Worker, wait_until

BOTH = "user_clicks,user_profiles"
USERS, SECONDS = 30, 20


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "rekey", partitions=3)
    topics.create("user_clicks", "user_profiles")
    return topics


def sent(topics: Topics, rekey: str, first: int = 0, last: int = SECONDS) -> dict[int, str]:
    """Send each second a new profile of each user, and a click; give which profile each click should join.

    Topics that are written once more have no keys, and their records are anywhere.
    """
    expected = {}
    for second in range(first, last):
        for user in range(USERS):
            number, name, at = second * 100 + user, f"{user} at {second}", second * 1_000
            keys = {topic: None if topic in rekey else str(user) for topic in ("user_profiles", "user_clicks")}
            places = {topic: (user + second) % 3 if key is None else None for topic, key in keys.items()}
            for topic, value in (
                ("user_profiles", {"user_id": user, "name": name}),
                ("user_clicks", {"user_id": str(user), "n": number}),
            ):
                topics.send(topic, keys[topic], value, at=at, partition=places[topic])
            expected[number] = name
    topics.flush()
    return expected


def joined(topics: Topics) -> dict[int, str]:
    """By the clicks' numbers, the names in the profiles that they joined."""
    found = [json.loads(message.value()) for message in topics.read("joined_data")]
    return {one["click"]["n"]: one["profile"]["name"] for one in found}


def wait_done(topics: Topics, count: int) -> None:
    wait_until(
        lambda: max(0, topics.end("joined_data")) + max(0, topics.end("unmatched_clicks")) >= count,
        f"{count} clicks are done",
    )


@pytest.mark.parametrize(
    ("rekey", "guarantee"),
    [
        (BOTH, "at_least_once"),
        (BOTH, "exactly_once"),
        ("user_profiles", "at_least_once"),
        ("user_clicks", "at_least_once"),
    ],
)
def test_each_click_joins_the_profile_of_its_time_at_a_cold_start(
    topics: Topics, tmp_path: Path, rekey: str, guarantee: str
) -> None:
    expected = sent(topics, rekey)
    with Worker(tmp_path, rekey=rekey, processing_guarantee=guarantee, **topics.settings) as worker:
        wait_done(topics, len(expected))
        for topic in ("user_clicks", "user_profiles"):
            through = f"{topics.id}-{topics.prefix}{topic}-by-user_id-repartition"
            way = f"keyed by user_id of the value, through {through}" if topic in rekey else "joined by the record key"
            assert f"{topics.prefix}{topic}: {way}" in worker.log
    assert joined(topics) == expected


@pytest.mark.parametrize("rekey", [BOTH, "user_profiles"])
def test_topics_with_other_numbers_of_partitions_join_once_one_is_written_once_more(
    kafka, tmp_path: Path, rekey: str
) -> None:
    topics = Topics(kafka.bootstrap, "widths")
    topics.create("user_profiles", partitions=3)
    topics.create("user_clicks", partitions=5)
    expected = sent(topics, rekey, 0, 3)
    with Worker(tmp_path, rekey=rekey, **topics.settings) as worker:
        wait_done(topics, len(expected))
        worker.wait_ready()
    assert joined(topics) == expected


def test_a_topic_of_another_partitioner_does_not_go_with_a_repartitioned_one(topics: Topics, tmp_path: Path) -> None:
    for user in range(30):
        topics.send("user_profiles", str(user), {"user_id": user}, partition=zlib.crc32(b"%d" % user) % 3)
    topics.flush()
    with Worker(tmp_path, rekey="user_clicks", **topics.settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker ends")
        line = worker.log.splitlines()[-1]
    assert "user_profiles was written by CRC-32 (librdkafka)" in line.replace(topics.prefix, "")
    assert "or have one written once more here (STREAMAPP_REKEY, streamapp join --repartition)" in line
    sent(topics, BOTH, 0, 2)
    with Worker(tmp_path, rekey=BOTH, **{**topics.settings, "partitions": 8}):
        wait_done(topics, 2 * USERS)
    through = topics.read(f"{topics.id}-{topics.prefix}user_clicks-by-user_id-repartition", full_name=True)
    assert {record.partition() for record in through} == {0, 1, 2}  # as many as the topics have, not as new ones get


def test_no_click_misses_its_profile_while_workers_repartition_the_topics(topics: Topics, tmp_path: Path) -> None:
    def newcomers(first: int, last: int) -> None:
        """Send clicks of users whose profiles were acknowledged just before."""
        for start in range(first, last, 10):
            for topic in ("user_profiles", "user_clicks"):
                for user in range(start, start + 10):
                    topics.send(topic, None, {"user_id": user, "n": user, "name": "new"}, at=start, partition=user % 3)
                topics.flush()

    newcomers(0, 300)
    settings: dict[str, Any] = {"rekey": BOTH, "session_timeout": 6, **topics.settings}
    clicks = f"{topics.prefix}user_clicks"
    with Worker(tmp_path / "1", **settings) as one, Worker(tmp_path / "2", **settings) as other:
        for worker in (one, other):
            wait_until(lambda worker=worker: worker.wait_ready().assigned().get(clicks), "both have partitions")
        newcomers(300, 1_300)
        one.kill()
        newcomers(1_300, 2_300)
        wait_done(topics, 2_300)
    assert joined(topics) == dict.fromkeys(range(2_300), "new")
