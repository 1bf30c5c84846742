"""Event times stay as they are, and old ones are no reason to lose a record, whatever the broker's defaults are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from kafkas import running_kafka
from topics import Topics
from worker import Worker, wait_until

from streamapp.embedded_kafka import EmbeddedKafka

DAY_MS = 86_400_000
#: A broker that writes its own times, and deletes what is older than an hour within a second.
HOSTILE = {
    "log.message.timestamp.type": "LogAppendTime",
    "log.retention.ms": "3600000",
    "log.retention.check.interval.ms": "300",
    "log.initial.task.delay.ms": "300",
}
EVENT_TIMES = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    with running_kafka(tmp_path_factory.mktemp("hostile"), HOSTILE) as broker:
        yield broker


@pytest.fixture
def topics(hostile: EmbeddedKafka) -> Topics:
    return Topics(hostile.bootstrap, "old", partitions=2)


def configs(topics: Topics, name: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, name)
    admin = AdminClient({"bootstrap.servers": topics.bootstrap})
    (found,) = admin.describe_configs([resource]).values()
    return {key: entry.value for key, entry in found.result().items()}


def words(line: str) -> list[str]:
    return line.split()


def test_a_profile_that_expired_is_expired_after_a_restore_too(topics: Topics, tmp_path: Path) -> None:
    topics.create("user_profiles", "user_clicks", config=EVENT_TIMES)
    topics.profiles([1, 2])
    with Worker(tmp_path / "first", **topics.settings) as worker:
        wait_until(lambda: len(topics.table("user_profiles")) == 2, "the profiles are kept")
        assert worker.terminate() == 0
    topics.clicks([1], users=3, at=299_000)
    topics.clicks([2], users=3, at=301_000)
    with Worker(tmp_path / "second", **topics.settings):
        wait_until(lambda: topics.end("joined_data") == 1, "the profile that has not expired joins")
        wait_until(lambda: topics.end("unmatched_clicks") == 1, "the one that expired does not")
    assert topics.joined() == {"c1": 1}
    assert configs(topics, f"{topics.id}-user_profiles-changelog")["message.timestamp.type"] == "CreateTime"
    (result,) = topics.read("joined_data")
    assert result.timestamp() == (1, topics.now + 299_000)


def test_orders_of_30_days_ago_that_are_held_up_behind_a_repartition_all_come_out(
    topics: Topics, tmp_path: Path
) -> None:
    topics.create("orders", "customers", config=EVENT_TIMES)
    topics.send("customers", "c1", {"customer_id": "c1"}, at=-31 * DAY_MS)
    random = Random(1)  # more than a record batch, and nothing to compress
    for number in range(2_000):
        order = {"order": number, "customer_id": f"c{number % 50}", "padding": random.randbytes(1_500).hex()}
        topics.send("orders", f"o{number}", order, at=number - 30 * DAY_MS)
    topics.flush()
    command = words("join --left orders --right customers --on customer_id --repartition left --how left --to joined")
    # Each batch waits for customers to come, and the orders on the broker for that batch.
    with Worker(tmp_path, command=command, max_idle=1, buffer=1 << 17, **topics.settings):
        wait_until(lambda: topics.end("joined") == 2_000, "all orders come out")
    results = topics.read("joined")
    assert {json.loads(each.value())["left"]["order"] for each in results} == set(range(2_000))
    assert {each.timestamp()[1] for each in results} == {topics.now + n - 30 * DAY_MS for n in range(2_000)}


@pytest.mark.parametrize(("ttl", "joined"), [(0, 700), (600, 100)])
def test_years_of_clicks_join_the_profiles_of_their_times(
    topics: Topics, tmp_path: Path, ttl: int, joined: int
) -> None:
    topics.create("user_profiles", "user_clicks", config=EVENT_TIMES)
    starts = [-year * 365 * DAY_MS for year in range(7, 0, -1)]  # from seven years ago on
    topics.profiles(range(100), at=starts[0] - 1)
    for start in starts:
        clicks = [f"u{number}" for number in range(100)]
        for user in clicks:
            topics.send("user_clicks", user, {"click_id": f"{start}-{user}", "user_id": user, "url": "/"}, at=start)
    topics.flush()
    with Worker(tmp_path, profile_ttl=ttl, **topics.settings):
        wait_until(lambda: topics.end("joined_data") + topics.end("unmatched_clicks") == 700, "all clicks are read")
    assert len(topics.joined()) == len(topics.read("joined_data")) == joined


def test_years_of_pairs_are_joined_within_their_windows(topics: Topics, tmp_path: Path) -> None:
    topics.create("orders", "payments", config=EVENT_TIMES)
    for number in range(700):  # every third day, from seven years ago on
        at = (3 * number - 7 * 365) * DAY_MS
        topics.send("orders", f"c{number % 9}", {"order": number, "customer_id": f"c{number % 9}"}, at=at)
        topics.send("payments", f"c{number % 9}", {"paid": number, "customer_id": f"c{number % 9}"}, at=at + 60_000)
    topics.flush()
    command = words("join --left orders --right payments --on customer_id --before 0 --after 1h --grace 1h --to joined")
    with Worker(tmp_path, command=command, **topics.settings):
        wait_until(lambda: topics.end("joined") == 700, "all pairs are joined")
    pairs = [json.loads(message.value()) for message in topics.read("joined")]
    assert {(pair["left"]["order"], pair["right"]["paid"]) for pair in pairs} == {(n, n) for n in range(700)}


def test_topics_that_change_or_delete_event_times_are_told_at_the_start(topics: Topics, tmp_path: Path) -> None:
    topics.create("user_profiles")
    topics.create("user_clicks", config=EVENT_TIMES)
    topics.create("unmatched_clicks", config={"message.timestamp.type": "CreateTime", "retention.ms": "3600000"})
    topics.create("joined_data")
    topics.clicks([1], users=2, at=-30 * DAY_MS)
    with Worker(tmp_path, **topics.settings) as worker:
        wait_until(lambda: topics.committed("user_clicks") == 1, "the click is read")
        log = worker.log.replace(topics.prefix, "")
    assert (
        "user_profiles has message.timestamp.type=LogAppendTime: event times of its records are those at which" in log
    )
    assert "joined_data has message.timestamp.type=LogAppendTime: event times of results are not kept" in log
    assert log.count("unmatched_clicks keeps records for 1.0 hours of their event time (retention.ms=3600000)") == 1
    assert "30.0 days ago: Kafka deletes them soon after they are written. To keep them: kafka-configs.sh" in log
    assert "user_clicks keeps" not in log


def complaint(topics: Topics, directory: Path, command: list[str]) -> str:
    with Worker(directory, command=command, **topics.settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker ends")
        assert worker.exit_code == 1
        return worker.log.strip().splitlines()[-1].replace(topics.prefix, "")


def test_a_changelog_that_changes_times_or_deletes_rows_stops_the_start(topics: Topics, tmp_path: Path) -> None:
    topics.create("user_profiles", "user_clicks", config=EVENT_TIMES)
    changelog = f"{topics.id}-user_profiles-changelog"
    name, topics.prefix = changelog, ""
    topics.create(name, config={"cleanup.policy": "compact"})
    line = complaint(topics, tmp_path / "times", [])
    assert f"the changelog {changelog} has message.timestamp.type=LogAppendTime" in line
    assert f"--entity-name {changelog} --add-config message.timestamp.type=CreateTime" in line
    topics.delete(name)
    topics.create(name, config={"message.timestamp.type": "CreateTime", "cleanup.policy": "compact,delete"})
    line = complaint(topics, tmp_path / "rows", [])
    assert (
        f"the changelog {changelog} has cleanup.policy=compact,delete, which deletes rows by their event times" in line
    )


def test_an_internal_topic_of_an_older_version_is_made_to_keep_its_records(topics: Topics, tmp_path: Path) -> None:
    topics.create("orders", "customers", config=EVENT_TIMES)
    internal = f"{topics.id}-joined-{topics.prefix}orders-by-customer_id-repartition"
    prefix, topics.prefix = topics.prefix, ""
    topics.create(internal, config={"message.timestamp.type": "CreateTime"})
    topics.prefix = prefix
    command = words("join --left orders --right customers --on customer_id --repartition left --to joined")
    with Worker(tmp_path, command=command, **topics.settings) as worker:
        worker.wait_ready()
        assert f"the internal topic {internal} had retention.ms=3600000, and keeps now" in worker.log
    assert configs(topics, internal)["retention.ms"] == "-1"


def test_produce_tells_of_records_that_the_topic_deletes_for_their_age(topics: Topics, tmp_path: Path) -> None:
    topics.create("events", config={"message.timestamp.type": "CreateTime", "retention.ms": "3600000"})
    lines = "".join(f'{{"k": "a", "at": {1_700_000_000 + number}}}\n' for number in range(100))

    def produced(topic: str, *more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "streamapp", "produce", topics.prefix + topic, "--timestamp", "at", *more]
        environment = {"STREAMAPP_BROKER": topics.bootstrap, "STREAMAPP_PARTITIONS": "2"}
        return subprocess.run(
            command, input=lines, env=environment, capture_output=True, text=True, timeout=60, check=True
        )

    (line,) = produced("events").stderr.splitlines()
    assert f"100 records are older than {topics.prefix}events keeps them, the oldest of 2023-11-14" in line
    assert produced("kept", "--create").stderr == ""
    wait_until(lambda: not topics.read("events"), "the broker has deleted them")
    assert len(topics.read("kept")) == 100
