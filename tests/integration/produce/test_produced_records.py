"""The topics and the producer below all of it, at a real Kafka and at none."""

from __future__ import annotations

import os

import pytest
from produced import PARTITIONS, Topics

from streamapp.embedded_kafka import EmbeddedKafka
from streamapp.errors import ProduceError
from streamapp.kafka.admin import Cluster, ClusterError
from streamapp.kafka.producer import Producer
from streamapp.settings import Settings


class TestTopics:
    def test_missing_topics_get_the_partitions_of_the_settings(self, settings: Settings, topics: Topics) -> None:
        names = [settings.topic("a"), settings.topic("b")]
        Cluster(settings).ensure(names)

        assert [topics.partitions(name) for name in names] == [PARTITIONS, PARTITIONS]

    def test_a_missing_topic_gets_as_many_partitions_as_the_others_have(
        self, settings: Settings, kafka: EmbeddedKafka, topics: Topics
    ) -> None:
        a, b = settings.topic("a"), settings.topic("b")
        Cluster(Settings(broker=kafka.bootstrap, partitions=3)).ensure([a])
        Cluster(settings).ensure([b, a])

        assert (topics.partitions(a), topics.partitions(b)) == (3, 3)

    def test_topics_take_8_mib(self, settings: Settings, topic: str, topics: Topics) -> None:
        assert topics.config(topic, "max.message.bytes") == str(8 << 20)

    def test_it_can_be_done_again(self, settings: Settings, topic: str, topics: Topics) -> None:
        Cluster(settings).ensure([topic])

        assert topics.partitions(topic) == PARTITIONS

    def test_a_refusal_names_the_topic_and_the_settings(self, kafka: EmbeddedKafka) -> None:
        settings = Settings(broker=kafka.bootstrap, replication=99)
        with pytest.raises(ClusterError, match=r"topic refused .*STREAMAPP_REPLICATION=99: ") as raised:
            Cluster(settings).ensure(["refused"])

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


def test_a_timeout_that_librdkafka_cannot_keep_is_one_line() -> None:
    with pytest.raises(ProduceError, match=r"^the settings do not make a producer: .*message\.timeout\.ms"):
        Producer(Settings(), timeout=0.001)
