"""What aiokafka's reader stops at does not stop a worker, and damage on the broker does so in a clear line."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from raw_batches import Raw, RawName, produce_raw
from topics import Topics
from worker import Worker, wait_until

WRONG = [("before", b"1"), (RawName(b"tr\xffce"), b"2"), ("after", None)]


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "unreadable", partitions=2)
    topics.create("user_profiles", "user_clicks")
    return topics


def profile(topics: Topics, user: str, headers: list) -> Raw:
    return user.encode(), json.dumps({"user_id": user, "name": user}).encode(), topics.now, headers


def click(topics: Topics, number: int, headers: list) -> Raw:
    value = {"click_id": f"c{number}", "user_id": "u1", "url": "/"}
    return b"u1", json.dumps(value).encode(), topics.now + number, headers


def send(topics: Topics, name: str, *records: Raw, codec: int = 0, partition: int = 0) -> int:
    return asyncio.run(produce_raw(topics.bootstrap, topics.prefix + name, partition, records, codec=codec))


@pytest.mark.parametrize("join", [None, "inner"], ids=["agents", "declared join"])
def test_a_header_name_that_is_not_utf_8_makes_a_dead_letter_and_others_join(
    topics: Topics, tmp_path: Path, join: str | None
) -> None:
    send(topics, "user_profiles", profile(topics, "u1", []), profile(topics, "u2", WRONG))
    send(topics, "user_clicks", *(click(topics, number, WRONG if number == 5 else []) for number in range(10)))
    send(topics, "user_clicks", click(topics, 10, WRONG), codec=3)
    send(topics, "user_clicks", click(topics, 11, WRONG), partition=1)
    send(topics, "user_clicks", click(topics, 12, []))
    with Worker(tmp_path, **topics.settings | ({"join": join} if join else {})):
        wait_until(lambda: topics.committed("user_clicks") == 13, "all clicks are committed")
        wait_until(lambda: topics.committed("user_profiles") == 2, "all profiles are committed")
    assert sorted(topics.joined()) == sorted(f"c{number}" for number in (*range(5), *range(6, 10), 12))
    letters = {}
    for letter in topics.read("dead_letters"):
        topic, partition, offset, reason, error, *headers = letter.headers()
        assert reason == ("reason", b"header_not_utf8")
        assert error == ("error", rb"the header name b'tr\xffce' is not UTF-8")
        assert headers == [("before", b"1"), (r"tr\xffce", b"2"), ("after", None)]
        place = (topic[1].decode().removeprefix(topics.prefix), int(partition[1]), int(offset[1]))
        letters[place] = (letter.key(), letter.value(), letter.timestamp()[1])
    assert letters == {
        ("user_profiles", 0, 1): profile(topics, "u2", [])[:3],
        ("user_clicks", 0, 5): click(topics, 5, [])[:3],
        ("user_clicks", 0, 10): click(topics, 10, [])[:3],
        ("user_clicks", 1, 0): click(topics, 11, [])[:3],
    }


def test_a_changelog_record_with_such_a_header_is_restored(topics: Topics, tmp_path: Path) -> None:
    topics.profiles(range(10))
    with Worker(tmp_path / "first", **topics.settings) as worker:
        wait_until(lambda: len(topics.table("user_profiles")) == 10, "the profiles are in the changelog")
        assert worker.terminate() == 0
    changed = profile(topics, "new", WRONG)
    asyncio.run(produce_raw(topics.bootstrap, f"{topics.id}-user_profiles-changelog", 0, [changed]))
    with Worker(tmp_path / "second", **topics.settings) as worker:
        worker.wait_ready()
        assert "11 changelog records read" in worker.log


def test_a_damaged_record_batch_is_told_once_what_is_before_it_was_joined(
    topics: Topics, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    send(topics, "user_profiles", profile(topics, "u1", []))
    send(topics, "user_clicks", *(click(topics, number, []) for number in range(10)))
    assert send(topics, "user_clicks", *(click(topics, number, []) for number in range(10, 20))) == 10
    send(topics, "user_clicks", *(click(topics, number, []) for number in range(20, 30)))
    (log,) = tmp_path_factory.getbasetemp().rglob(f"{topics.prefix}user_clicks-0/*.log")
    damage(log, 10)
    with Worker(tmp_path, **topics.settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker ends")
        assert worker.exit_code != 0
        assert "Traceback" not in worker.log
        assert f"{topics.prefix}user_clicks[0] cannot be read at offset 10: " in worker.log
    assert topics.committed("user_clicks") == 10
    behind = int(re.findall(r"--to-offset (\d+)", worker.log)[0])
    consumer = Consumer({"bootstrap.servers": topics.bootstrap, "group.id": topics.id})
    consumer.commit(offsets=[TopicPartition(topics.prefix + "user_clicks", 0, behind)], asynchronous=False)
    consumer.close()
    with Worker(tmp_path, **topics.settings):
        wait_until(lambda: topics.committed("user_clicks") == 30, "the rest is committed")
    assert sorted(topics.joined()) == sorted(f"c{number}" for number in (*range(10), *range(20, 30)))


def damage(log: Path, base_offset: int) -> None:
    """Change a byte of a record batch in the log of a broker, which sends it as it is."""
    data, at = log.read_bytes(), 0
    while int.from_bytes(data[at : at + 8]) != base_offset:
        at += 12 + int.from_bytes(data[at + 8 : at + 12])
    at += 90  # amid the first record
    with log.open("r+b") as file:
        file.seek(at)
        file.write(bytes([data[at] ^ 0xFF]))
