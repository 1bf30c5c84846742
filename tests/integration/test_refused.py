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
DAY = 86_400_000
YEAR_2100 = 4_102_444_800_000
MICROSECONDS = 1_700_000_000_000_000
#: Records of up to 15 MB and of any time, kept for ever.
ANYTHING = {
    "max.message.bytes": "15000000",
    "message.timestamp.after.max.ms": str(2**63 - 1),
    "message.timestamp.before.max.ms": str(2**63 - 1),
    "retention.ms": "-1",
}


def noise(size: int) -> str:
    """Text that cannot be compressed to much less: the broker judges the size of compressed batches."""
    return random.Random(0).randbytes(size).hex()[:size]


#: Too large for the topics that are made here, which take 8 MiB; and half of it.
LARGE = noise(10 << 20)
HALF = LARGE[: 5 << 20]


def letters(topics: Topics) -> list[dict[str, Any]]:
    """Give the dead letters, in the order of the records that they are of."""
    found = [
        {"key": one.key(), "value": one.value(), **{name: value.decode() for name, value in one.headers()}}
        for one in topics.read("dead_letters")
    ]
    return sorted(found, key=lambda one: (one["topic"], int(one["offset"]), one["error"]))


def settled(topics: Topics, worker: Worker, group: str | None = None, **counts: int) -> None:
    """Wait until so many records of topics are committed."""

    def committed(name: str, count: int) -> bool:
        assert worker.exit_code is None, "the worker ended"
        return topics.committed(name, group) == count

    for name, count in counts.items():
        wait_until(lambda name=name, count=count: committed(name, count), f"{count} of {name} are committed")


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_clicks_whose_times_the_output_refuses_are_dead_letters(kafka, tmp_path: Path, guarantee: str) -> None:
    topics = Topics(kafka.bootstrap, "time", partitions=1)
    topics.create("user_profiles", "user_clicks", config=ANYTHING)
    topics.create("joined_data", "dead_letters", config={"message.timestamp.before.max.ms": str(7 * DAY)})
    times = {3: topics.now - 10 * DAY, 5: YEAR_2100, 8: MICROSECONDS}
    topics.profiles([1], at=-20 * DAY)
    for number in range(12):
        click = {"click_id": f"c{number}", "user_id": "u1", "url": "/"}
        topics.send("user_clicks", "u1", click, at=times.get(number, topics.now) - topics.now)
    topics.flush()
    with Worker(tmp_path, processing_guarantee=guarantee, profile_ttl=0, **topics.settings) as worker:
        settled(topics, worker, user_clicks=12)
        worker.wait_ready()
        topics.clicks([13], users=2)
        settled(topics, worker, user_clicks=13)
        assert worker.terminate() == 0
    assert topics.joined() == Counter(f"c{number}" for number in [*range(12), 13] if number not in times)
    found = letters(topics)
    assert {int(one["offset"]): int(one["timestamp"]) for one in found} == times
    for one in found:
        assert (one["topic"], one["reason"]) == (topics.prefix + "user_clicks", "invalid_timestamp")
        assert one["error"].startswith(f"{topics.prefix}joined_data refuses the result: INVALID_TIMESTAMP: ")


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_profiles_that_the_changelog_refuses_are_dead_letters_and_others_stay(
    kafka, tmp_path: Path, guarantee: str
) -> None:
    topics = Topics(kafka.bootstrap, "row", partitions=1)
    topics.create("user_profiles", "user_clicks", config=ANYTHING)
    topics.create("dead_letters")  # with Kafka's limit, an hour ahead
    changelog = f"{topics.id}-user_profiles-changelog"
    config = {"max.message.bytes": str(8 << 20), "message.timestamp.after.max.ms": "3600000"}
    admin = AdminClient({"bootstrap.servers": topics.bootstrap})
    made = admin.create_topics([NewTopic(changelog, 1, 1, config={"cleanup.policy": "compact", **config})])
    made[changelog].result(30)
    topics.profiles([1, 2])
    topics.send("user_profiles", "u1", {"user_id": "u1", "name": LARGE})
    topics.send("user_profiles", "u2", {"user_id": "u2", "name": "x" * len(LARGE)})  # it compresses
    topics.profiles([4])
    topics.send("user_profiles", "u3", {"user_id": "u3", "name": "3"}, at=YEAR_2100 - topics.now)
    topics.clicks(range(5), users=5, at=1)
    with Worker(tmp_path, processing_guarantee=guarantee, profile_ttl=0, **topics.settings) as worker:
        settled(topics, worker, user_profiles=6, user_clicks=5)
        worker.wait_ready()
        topics.clicks([6, 9], users=5, at=2)
        settled(topics, worker, user_clicks=7)
        assert worker.terminate() == 0
    assert topics.joined() == Counter(["c1", "c2", "c4", "c6", "c9"])
    results = [json.loads(message.value()) for message in topics.read("joined_data")]
    assert {one["profile"]["name"] for one in results if one["click"]["user_id"] == "u1"} == {"name 1"}
    assert sorted(topics.table("user_profiles")) == [b"u1", b"u2", b"u4"]
    large, future = letters(topics)
    assert (large["offset"], large["reason"], large["value_bytes"]) == ("2", "too_large", str(len(LARGE) + 29))
    assert (future["offset"], future["reason"], future["timestamp"]) == ("5", "invalid_timestamp", str(YEAR_2100))
    for one in (large, future):
        assert one["topic"] == topics.prefix + "user_profiles"
        assert one["error"].startswith(f"the changelog {changelog} takes no row")


WINDOW = ["--before", "1m", "--after", "1s", "--grace", "1h"]


@pytest.mark.parametrize(("guarantee", "options"), [("at_least_once", []), ("exactly_once", WINDOW)])
def test_records_that_a_join_cannot_keep_are_dead_letters_and_others_join_once(
    kafka, tmp_path: Path, guarantee: str, options: list[str]
) -> None:
    topics = Topics(kafka.bootstrap, "join", partitions=1)
    topics.create("orders", "customers", config=ANYTHING)
    for number in range(4):
        topics.send("customers", f"c{number}", {"id": f"c{number}", "name": "one"})
    topics.send("customers", "c1", {"id": "c1", "name": LARGE}, at=5)
    for number, size in enumerate([0, 0, 0, 10 << 20, 0, 0]):
        order: dict[str, Any] = {"id": f"c{number % 4}", "order": number, "pad": LARGE[:size]}
        topics.send("orders", order["id"], order, at=10 + number)
    topics.flush()
    command = ["join", "--left", "orders", "--right", "customers", "--on", "id", "--to", "joined", "--how", "left"]
    group = f"{topics.id}-joined"
    with Worker(tmp_path, command=[*command, *options], processing_guarantee=guarantee, **topics.settings) as worker:
        settled(topics, worker, group, orders=6, customers=5)
        worker.wait_ready()
        topics.send("orders", "c3", {"id": "c3", "order": 7}, at=20)
        topics.flush()
        settled(topics, worker, group, orders=7)
        assert worker.terminate() == 0
    results = [json.loads(message.value()) for message in topics.read("joined")]
    assert Counter((one["left"]["order"], one["right"]["name"]) for one in results) == Counter(
        (number, "one") for number in (0, 1, 2, 4, 5, 7)
    )
    places = [(one["topic"].removeprefix(topics.prefix), one["offset"], one["reason"]) for one in letters(topics)]
    assert places == [("customers", "4", "too_large"), ("orders", "3", "too_large")]


def test_a_foreign_key_join_names_the_records_whose_messages_are_refused(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "foreign", partitions=2)
    topics.create("purchases", "customers", "views", config=ANYTHING)

    def send(name: str, key: str, number: int, pad: str, at: int) -> None:
        topics.send(name, key, {name: number, "pad": pad}, at=at)

    for number in range(1, 5):
        send("purchases", f"p{number}", number, "", 0)
        send("customers", f"k{number}", number, "", 0)
    send("purchases", "p1", 1, LARGE, 5)  # too large to be asked for
    send("customers", "k3", 3, HALF, 5)
    send("purchases", "p3", 3, HALF, 6)  # the answer is too large
    send("views", "k3", 3, HALF, 6)  # joined with the customer it is too large
    topics.flush()
    settings = {**topics.settings, "processing_guarantee": "exactly_once"}
    with Worker(tmp_path, app="joining_app", environment={"JOINS": "foreign-key,tables"}, **settings) as worker:
        settled(topics, worker, purchases=6, customers=5, views=1)
        wait_until(lambda: len(topics.read("dead_letters")) == 3, "the dead letters")
        worker.wait_ready()
        assert worker.terminate() == 0
    places = {(one["topic"].removeprefix(topics.prefix), one["key"]): one for one in letters(topics)}
    assert places.keys() == {("purchases", b"p1"), ("purchases", b"p3"), ("views", b"k3")}
    assert {one["reason"] for one in places.values()} == {"too_large"}
    sent = {(one.topic(), one.partition(), one.offset()): one.key() for one in topics.read("purchases")}
    for (name, key), one in places.items():
        if name == "purchases":
            assert sent[one["topic"], int(one["partition"]), int(one["offset"])] == key


def test_for_a_compacted_output_records_without_a_key_are_dead_letters(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "compacted", partitions=1)
    topics.create("user_clicks")
    topics.create("joined_data", "dead_letters", config={"cleanup.policy": "compact"})
    for number in range(100):
        topics.send("user_clicks", None if number % 10 == 3 else f"k{number}", b"%d" % number)
    topics.flush()
    with Worker(tmp_path, app="failing_app", **topics.settings) as worker:
        settled(topics, worker, user_clicks=100)
        assert worker.terminate() == 0
    assert [int(one.value()) for one in topics.read("joined_data")] == [n for n in range(100) if n % 10 != 3]
    found = letters(topics)
    assert [int(one["value"]) for one in found] == [n for n in range(100) if n % 10 == 3]
    assert found[0]["key"] == f"{topics.prefix}user_clicks/0/3".encode()
    assert found[0]["reason"] == "refused"
    assert "INVALID_RECORD: Compacted topic cannot accept message without key" in found[0]["error"]
