"""The producers against a real Kafka: what they say was acknowledged is in the topics, byte for byte."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from aiokafka.partitioner import DefaultPartitioner
from confluent_kafka import TIMESTAMP_CREATE_TIME, Consumer, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from topics import ends
from worker import wait_until

from streamapp.cluster import ClusterError
from streamapp.produce import (
    FromFile,
    JsonLines,
    Kind,
    Options,
    ProduceError,
    Producer,
    Traffic,
    ensure_topics,
    produce_generated,
    produce_lines,
    run,
)
from streamapp.settings import CLICKS, PROFILES, Settings

PARTITIONS = 4
MIXED = Traffic(users=100, clicks=2_000, seed=3, late_share=0.1, bad_share=0.2, unmatched_share=0.1)


class Kafka(Protocol):
    bootstrap: str


@pytest.fixture
def settings(kafka: Kafka) -> Settings:
    return Settings(broker=kafka.bootstrap, partitions=PARTITIONS, topic_prefix=f"test-{uuid.uuid4().hex[:8]}-")


@pytest.fixture
def topic(settings: Settings) -> str:
    name = settings.topic("lines")
    ensure_topics(settings, [name])
    return name


@pytest.fixture
def nowhere() -> Iterator[Settings]:
    """Settings of a broker that is not there, on a port that nothing else can take meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield Settings(broker=f"127.0.0.1:{bound.getsockname()[1]}")


class Topics:
    """The topics as another client sees them."""

    def __init__(self, settings: Settings) -> None:
        self._consumer = Consumer({**settings.librdkafka(), "group.id": "test", "enable.auto.commit": False})
        self._admin = AdminClient(settings.librdkafka())

    def partitions(self, topic: str) -> int:
        return len(self._consumer.list_topics(timeout=30).topics[topic].partitions)

    def config(self, topic: str, name: str) -> str:
        (found,) = self._admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
        return found.result(timeout=30)[name].value

    def size(self, topic: str) -> int:
        return sum(ends(self._admin, topic).values())

    def records(self, topic: str) -> list[Message]:
        """All records of the topic."""
        offsets = ends(self._admin, topic)
        self._consumer.assign([TopicPartition(topic, number, 0) for number in offsets])
        records: list[Message] = []
        deadline = time.monotonic() + 60
        while len(records) < sum(offsets.values()):
            assert time.monotonic() < deadline
            records += self._consumer.consume(1_000, timeout=0.2)
        assert not [record.error() for record in records if record.error()]
        return records

    def close(self) -> None:
        self._consumer.close()


@pytest.fixture
def topics(settings: Settings) -> Iterator[Topics]:
    found = Topics(settings)
    yield found
    found.close()


def lines(topic: str, text: bytes, tmp_path: Path, **how: Any) -> FromFile:
    file = tmp_path / "input.jsonl"
    file.write_bytes(text)
    return FromFile(topic=topic, path=str(file), lines=JsonLines(**how))


def interrupt_when(condition: Callable[[], bool]) -> threading.Thread:
    """Send this process a Ctrl-C once ``condition`` holds."""

    def holds() -> bool:
        with contextlib.suppress(KafkaException):  # a new topic may have no leader yet
            return condition()
        return False

    def wait() -> None:
        deadline = time.monotonic() + 60
        while not holds() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


class TestGenerated:
    def test_all_that_is_acknowledged_is_in_the_topics(self, settings: Settings, topics: Topics) -> None:
        report = produce_generated(settings, MIXED, Options())

        assert report.error == ""
        assert (report.sent, report.failed) == (MIXED.total, 0)
        assert report.acknowledged == topics.size(settings.topic(PROFILES)) + topics.size(settings.topic(CLICKS))

    def test_it_tells_what_it_made(self, settings: Settings, topics: Topics) -> None:
        made = produce_generated(settings, MIXED, Options()).generated
        clicks = topics.records(settings.topic(CLICKS))

        assert made is not None
        assert made.profiles == topics.size(settings.topic(PROFILES)) == 120
        assert made.clicks == len(clicks) == 2_000
        assert made.bad == sum(made.bad_by_kind.values())
        assert made.bad_by_kind[Kind.TOMBSTONE] == sum(click.value() is None for click in clicks)
        assert made.bad_by_kind[Kind.NULL_KEY] == sum(click.key() is None for click in clicks)
        assert made.unmatched == sum((click.key() or b"").startswith(b"stranger-") for click in clicks)

    def test_each_key_is_in_the_partition_that_aiokafka_chooses(self, settings: Settings, topics: Topics) -> None:
        produce_generated(settings, MIXED, Options())
        choose = DefaultPartitioner()
        everything = list(range(PARTITIONS))

        for name in (PROFILES, CLICKS):
            keyed = [record for record in topics.records(settings.topic(name)) if record.key() is not None]
            assert keyed
            for record in keyed:
                assert record.partition() == choose(record.key(), everything, everything)

    def test_records_without_a_key_are_spread(self, settings: Settings, topic: str, topics: Topics) -> None:
        producer = Producer(settings)

        def spread() -> bool:
            # librdkafka stays with a partition for some milliseconds, to fill its batches: how many records go there
            # until it changes is a matter of chance.
            producer.send(topic, None, b"x")
            producer.flush(30)
            return {record.partition() for record in topics.records(topic)} == set(range(PARTITIONS))

        wait_until(spread, "records without a key in all partitions")

    def test_a_rate_is_kept_and_event_times_follow_the_clock(self, settings: Settings, topics: Topics) -> None:
        before = time.time() * 1000
        produce_generated(settings, Traffic(users=5, clicks=45, update_share=0), Options(rate=500))

        times = sorted(
            record.timestamp()[1] for name in (PROFILES, CLICKS) for record in topics.records(settings.topic(name))
        )
        assert times[0] >= int(before)
        assert times == [times[0] + 2 * number for number in range(50)]

    def test_ctrl_c_ends_it_with_everything_delivered(self, settings: Settings, topics: Topics) -> None:
        ensure_topics(settings, [settings.topic(PROFILES), settings.topic(CLICKS)])
        thread = interrupt_when(lambda: topics.size(settings.topic(CLICKS)) > 0)
        report = produce_generated(settings, Traffic(users=10, clicks=None), Options(rate=2_000))
        thread.join()

        assert report.error == ""
        assert report.generated is not None
        assert report.sent == report.acknowledged == report.generated.profiles + report.generated.clicks
        assert report.acknowledged == topics.size(settings.topic(PROFILES)) + topics.size(settings.topic(CLICKS))

    def test_traffic_without_end_needs_a_rate(self, settings: Settings) -> None:
        with pytest.raises(ProduceError, match="--rate"):
            produce_generated(settings, Traffic(clicks=None), Options())


class TestLines:
    def test_each_line_is_a_record(self, settings: Settings, topic: str, topics: Topics, tmp_path: Path) -> None:
        text = b'{"id":"u1", "at":1763000000}\n\n{"at":"2025-11-13T02:13:21Z","id":2}'

        assert run(settings, lines(topic, text, tmp_path, key="id", timestamp="at"), Options()) == 0
        assert Counter((record.key(), record.value(), record.timestamp()) for record in topics.records(topic)) == {
            (b"u1", b'{"id":"u1", "at":1763000000}', (TIMESTAMP_CREATE_TIME, 1_763_000_000_000)): 1,
            (b"2", b'{"at":"2025-11-13T02:13:21Z","id":2}', (TIMESTAMP_CREATE_TIME, 1_763_000_001_000)): 1,
        }

    def test_without_a_timestamp_the_event_time_is_now(
        self, settings: Settings, topic: str, topics: Topics, tmp_path: Path
    ) -> None:
        before = time.time_ns() // 1_000_000
        run(settings, lines(topic, b"{}\n", tmp_path), Options())

        (record,) = topics.records(topic)
        assert before <= record.timestamp()[1] <= time.time_ns() // 1_000_000

    def test_a_bad_line_ends_it_after_the_lines_before_it(
        self,
        settings: Settings,
        topic: str,
        topics: Topics,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        text = b'{"id":1}\n{"id":2}\n{"di":3}\n{"id":4}\n'

        assert run(settings, lines(topic, text, tmp_path, key="id"), Options()) == 1
        told = capsys.readouterr()
        assert told.out.startswith("sent 2, acknowledged 2, failed 0 in ")
        assert told.err.splitlines() == [
            f"produce: {tmp_path}/input.jsonl:3: there is no field id (--raw sends lines as they are)"
        ]
        assert sorted(record.key() for record in topics.records(topic)) == [b"1", b"2"]

    def test_raw_sends_bad_lines_too(self, settings: Settings, topic: str, topics: Topics, tmp_path: Path) -> None:
        assert run(settings, lines(topic, b"nope\n\n\xff", tmp_path, raw=True), Options()) == 0
        assert sorted(record.value() for record in topics.records(topic)) == [b"", b"nope", b"\xff"]

    def test_a_topic_that_does_not_exist_is_named_with_the_remedy(
        self, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(settings, lines("missing", b"{}", tmp_path), Options()) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"produce: there is no topic missing at {settings.broker}: ")
        assert "--create" in line

    def test_a_topic_can_be_created(self, settings: Settings, topics: Topics, tmp_path: Path) -> None:
        name = settings.topic("new")
        file = tmp_path / "input.jsonl"
        file.write_bytes(b"{}")

        assert run(settings, FromFile(topic=name, path=str(file), create=True), Options()) == 0
        assert (topics.partitions(name), topics.size(name)) == (PARTITIONS, 1)

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(Settings(), FromFile(topic="any", path=f"{tmp_path}/none"), Options()) == 1
        assert capsys.readouterr().err == f"produce: cannot read {tmp_path}/none: No such file or directory\n"

    def test_the_report_can_be_json(
        self, settings: Settings, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run(settings, lines(topic, b"{}\n{}\n", tmp_path), Options(), as_json=True)

        (line,) = capsys.readouterr().out.splitlines()
        report = json.loads(line)
        assert (report["sent"], report["acknowledged"], report["failed"]) == (2, 2, 0)

    def test_ctrl_c_ends_a_wait_for_input(self, settings: Settings, topic: str, topics: Topics) -> None:
        reader, writer = os.pipe()
        with os.fdopen(writer, "wb", buffering=0) as pipe, os.fdopen(reader, "rb") as file:
            pipe.write(b"{}\n{}\n{}\n")
            thread = interrupt_when(lambda: topics.size(topic) == 3)
            report = produce_lines(settings, topic, file, JsonLines(), Options())
            thread.join()

        assert (report.sent, report.acknowledged, report.error) == (3, 3, "")


class TestTopics:
    def test_missing_topics_get_the_partitions_of_the_settings(self, settings: Settings, topics: Topics) -> None:
        names = [settings.topic("a"), settings.topic("b")]
        ensure_topics(settings, names)

        assert [topics.partitions(name) for name in names] == [PARTITIONS, PARTITIONS]

    def test_a_missing_topic_gets_as_many_partitions_as_the_others_have(
        self, settings: Settings, kafka: Kafka, topics: Topics
    ) -> None:
        a, b = settings.topic("a"), settings.topic("b")
        ensure_topics(Settings(broker=kafka.bootstrap, partitions=3), [a])
        ensure_topics(settings, [b, a])

        assert (topics.partitions(a), topics.partitions(b)) == (3, 3)

    def test_topics_take_8_mib(self, settings: Settings, topic: str, topics: Topics) -> None:
        assert topics.config(topic, "max.message.bytes") == str(8 << 20)

    def test_it_can_be_done_again(self, settings: Settings, topic: str, topics: Topics) -> None:
        ensure_topics(settings, [topic])

        assert topics.partitions(topic) == PARTITIONS

    def test_a_refusal_names_the_topic_and_the_settings(self, kafka: Kafka) -> None:
        settings = Settings(broker=kafka.bootstrap, replication=99)
        with pytest.raises(ClusterError, match=r"topic refused .*STREAMAPP_REPLICATION=99: ") as raised:
            ensure_topics(settings, ["refused"])

        assert "\n" not in str(raised.value)


class TestProducer:
    def test_a_record_of_2_mib_is_delivered(self, settings: Settings, topic: str, topics: Topics) -> None:
        value = os.urandom(2 << 20)
        producer = Producer(settings)
        producer.send(topic, b"k", value)
        producer.flush(30)

        (record,) = topics.records(topic)
        assert record.value() == value

    def test_headers_are_sent(self, settings: Settings, topic: str, topics: Topics) -> None:
        producer = Producer(settings)
        producer.send(topic, b"k", None, headers=[("why", b"because")])
        producer.flush(30)

        (record,) = topics.records(topic)
        assert (record.value(), record.headers()) == (None, [("why", b"because")])

    def test_a_record_that_is_too_large_fails_and_the_others_do_not(self, settings: Settings, topic: str) -> None:
        producer = Producer(settings)
        for value in (b"x", bytes(9 << 20), b"y"):
            producer.send(topic, b"k", value)
        producer.flush(30)

        assert (producer.stats.sent, producer.stats.acknowledged, producer.stats.failed) == (3, 2, 1)
        assert producer.error.startswith(f"{topic}: ")

    def test_what_is_not_acknowledged_in_time_has_failed_and_the_reason_is_told(self, nowhere: Settings) -> None:
        producer = Producer(nowhere, timeout=0.5)
        for _ in range(10):
            producer.send("any", b"k", b"v")
        producer.flush(30)

        assert (producer.stats.sent, producer.stats.acknowledged, producer.stats.failed) == (10, 0, 10)
        assert "Connection refused" in producer.error
        assert "\n" not in producer.error

    def test_a_flush_gives_up_at_its_deadline_and_counts_the_rest_as_failed(self, nowhere: Settings) -> None:
        producer = Producer(nowhere, timeout=600)
        for _ in range(10):
            producer.send("any", b"k", b"v")
        producer.flush(0.2)

        assert (producer.stats.sent, producer.stats.failed) == (10, 10)

    def test_a_full_queue_makes_send_wait_and_loses_nothing(self, nowhere: Settings) -> None:
        producer = Producer(nowhere, timeout=1)
        for _ in range(150_000):
            producer.send("any", b"k", b"v")
        producer.flush(30)

        assert (producer.stats.sent, producer.stats.failed) == (150_000, 150_000)

    def test_a_wait_for_a_full_queue_can_be_ended(self, nowhere: Settings) -> None:
        capacity = 100_000
        polls: list[int] = []

        def look_around() -> None:
            polls.append(producer.stats.sent)
            if polls.count(capacity) == 5:
                raise TimeoutError("long enough")

        producer = Producer(nowhere, timeout=600, on_poll=look_around)
        for _ in range(capacity):
            producer.send("any", b"k", b"v")
        with pytest.raises(TimeoutError, match="long enough"):
            producer.send("any", b"k", b"v")
        producer.flush(0)

        assert (producer.stats.sent, producer.stats.failed) == (capacity, capacity)


def test_a_broker_that_cannot_be_reached_is_one_line(nowhere: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(nowhere, Traffic(), Options(timeout=0.5)) == 1
    told = capsys.readouterr()
    (line,) = told.err.splitlines()
    assert told.out == ""
    assert line.startswith(f"produce: cannot reach Kafka at {nowhere.broker} (STREAMAPP_BROKER) within 0.5 s: ")
    assert "Connection refused" in line


def test_a_timeout_that_librdkafka_cannot_keep_is_one_line() -> None:
    with pytest.raises(ProduceError, match=r"^the settings do not make a producer: .*message\.timeout\.ms"):
        Producer(Settings(), timeout=0.001)


class TestCommandLine:
    def produce(self, settings: Settings, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            "STREAMAPP_BROKER": settings.broker,
            "STREAMAPP_TOPIC_PREFIX": settings.topic_prefix,
            "STREAMAPP_PARTITIONS": str(settings.partitions),
        }
        return subprocess.run(
            [sys.executable, "-m", "streamapp", "produce", *arguments],
            input=given,
            capture_output=True,
            env=environment,
            timeout=120,
            check=False,
        )

    def test_it_generates_profiles_and_clicks(self, settings: Settings, topics: Topics) -> None:
        done = self.produce(settings, "--users", "10", "--clicks", "100", "--bad-share", "0.5", "--json")

        report = json.loads(done.stdout)
        assert (done.returncode, done.stderr) == (0, b"")
        assert report["acknowledged"] == 111
        assert topics.size(settings.topic(CLICKS)) == report["generated"]["clicks"] == 100

    def test_it_sends_lines_of_stdin(self, settings: Settings, topic: str, topics: Topics) -> None:
        done = self.produce(settings, topic, "--key", "id", given=b'{"id":"u1"}\n')

        (record,) = topics.records(topic)
        assert (done.returncode, record.key(), record.value()) == (0, b"u1", b'{"id":"u1"}')

    def test_options_of_a_file_need_a_topic(self, settings: Settings) -> None:
        done = self.produce(settings, "--file", "x")

        assert done.returncode == 2
        assert b"--file needs a TOPIC" in done.stderr

    def test_shares_must_fit_together(self, settings: Settings) -> None:
        done = self.produce(settings, "--bad-share", "0.6", "--late-share", "0.6")

        assert done.returncode == 2
        assert b"must not exceed 1 together" in done.stderr
