"""Generated traffic in a real Kafka: what is said to be acknowledged is in the topics."""

from __future__ import annotations

import time

import pytest
from aiokafka.partitioner import DefaultPartitioner
from produced import PARTITIONS, Topics, interrupt_when
from worker import wait_until

from streamapp.errors import ProduceError
from streamapp.kafka.admin import Cluster
from streamapp.kafka.producer import Producer
from streamapp.pipelines.clicks.settings import CLICKS, PROFILES
from streamapp.pipelines.clicks.traffic import Generated, Kind, Traffic
from streamapp.produce.delivery import Options, produce_traffic
from streamapp.settings import Settings

MIXED = Traffic(users=100, clicks=2_000, seed=3, late_share=0.1, bad_share=0.2, unmatched_share=0.1)


class TestGenerated:
    def test_all_that_is_acknowledged_is_in_the_topics(self, settings: Settings, topics: Topics) -> None:
        report = produce_traffic(settings, MIXED, Options())

        assert report.error == ""
        assert (report.sent, report.failed) == (MIXED.total, 0)
        assert report.acknowledged == topics.size(settings.topic(PROFILES)) + topics.size(settings.topic(CLICKS))

    def test_it_tells_what_it_made(self, settings: Settings, topics: Topics) -> None:
        made = produce_traffic(settings, MIXED, Options()).generated
        clicks = topics.records(settings.topic(CLICKS))

        assert isinstance(made, Generated)
        assert made.profiles == topics.size(settings.topic(PROFILES)) == 120
        assert made.clicks == len(clicks) == 2_000
        assert made.bad == sum(made.bad_by_kind.values())
        assert made.bad_by_kind[Kind.TOMBSTONE] == sum(click.value() is None for click in clicks)
        assert made.bad_by_kind[Kind.NULL_KEY] == sum(click.key() is None for click in clicks)
        assert made.unmatched == sum((click.key() or b"").startswith(b"stranger-") for click in clicks)

    def test_each_key_is_in_the_partition_that_aiokafka_chooses(self, settings: Settings, topics: Topics) -> None:
        produce_traffic(settings, MIXED, Options())
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
        produce_traffic(settings, Traffic(users=5, clicks=45, update_share=0), Options(rate=500))

        times = sorted(
            record.timestamp()[1] for name in (PROFILES, CLICKS) for record in topics.records(settings.topic(name))
        )
        assert times[0] >= int(before)
        assert times == [times[0] + 2 * number for number in range(50)]

    def test_ctrl_c_ends_it_with_everything_delivered(self, settings: Settings, topics: Topics) -> None:
        Cluster(settings).ensure([settings.topic(PROFILES), settings.topic(CLICKS)])
        thread = interrupt_when(lambda: topics.size(settings.topic(CLICKS)) > 0)
        report = produce_traffic(settings, Traffic(users=10, endless=True), Options(rate=2_000))
        thread.join()

        assert report.error == ""
        assert isinstance(report.generated, Generated)
        assert report.sent == report.acknowledged == report.generated.profiles + report.generated.clicks
        assert report.acknowledged == topics.size(settings.topic(PROFILES)) + topics.size(settings.topic(CLICKS))

    def test_traffic_without_end_needs_a_rate(self, settings: Settings) -> None:
        with pytest.raises(ProduceError, match="--rate"):
            produce_traffic(settings, Traffic(endless=True), Options())
