"""Faust's counts are of records, however many of them come at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import faust
import pytest
from faust.sensors.prometheus import FaustMetrics, PrometheusMonitor
from faust.types import TP
from prometheus_client import CollectorRegistry

from streamapp.runtime.batch import Batch
from streamapp.worker.monitor import Monitor

CLICKS = TP("clicks", 0)


@dataclass
class Record:
    offset: int
    timestamp: int = 0


class Watched:
    """A monitor that sees batches and single messages go through a stream."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.monitor = Monitor(FaustMetrics.create(self.registry, "faust"))
        self.stream = faust.App("watched").stream([])
        self.stream.task_owner = type("Task", (), {})()

    def read(self, message: Any) -> Callable[[], None]:
        """Have an agent begin with a message; what is given ends it."""
        return begin(self.monitor, self.stream, message)

    def gauge(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"faust_{name}", labels)


def begin(monitor: PrometheusMonitor, stream: Any, message: Any) -> Callable[[], None]:
    at = CLICKS, message.offset
    event = faust.Event(stream.app, None, message.value, None, message)
    monitor.on_message_in(*at, message)
    state = monitor.on_stream_event_in(*at, stream, event)

    def end() -> None:
        monitor.on_stream_event_out(*at, stream, event, state)
        monitor.on_message_out(*at, message)

    return end


def pass_through(monitor: PrometheusMonitor, stream: Any, message: Any) -> None:
    begin(monitor, stream, message)()


def shown(registry: CollectorRegistry) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Give what a registry shows, but for moments and how long things took."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if not sample.name.endswith(("_created", "_bucket", "_sum"))
    }


def batch(first: int, count: int) -> Any:
    records: list[Any] = [Record(offset) for offset in range(first, first + count)]
    return Batch(CLICKS, records).message(1)


def single(offset: int) -> Any:
    message = batch(offset, 1)
    message.value = b"one"
    return message


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_batch_counts_as_its_records(watched: Watched) -> None:
    watched.read(batch(0, 1_000))()
    watched.read(batch(1_000, 234))()
    stats = watched.monitor.asdict()
    assert stats["messages_received_total"] == stats["events_total"] == 1_234
    assert stats["messages_received_by_topic"] == {"clicks": 1_234}
    assert list(stats["events_by_stream"].values()) == list(stats["events_by_task"].values()) == [1_234]
    assert watched.gauge("messages_received_total") == watched.gauge("total_events_total") == 1_234
    assert watched.gauge("messages_received_per_topic_total", topic="clicks") == 1_234


def test_the_records_of_a_batch_are_active_until_it_is_done(watched: Watched) -> None:
    end = watched.read(batch(0, 1_000))
    assert watched.monitor.messages_active == watched.monitor.events_active == 1_000
    assert watched.gauge("active_messages") == watched.gauge("total_active_events") == 1_000
    end()
    assert watched.monitor.messages_active == watched.monitor.events_active == 0
    assert watched.gauge("active_messages") == watched.gauge("total_active_events") == 0


def test_the_offset_read_is_that_of_the_last_record(watched: Watched) -> None:
    watched.read(batch(500, 10))
    assert watched.monitor.asdict()["topic_read_offsets"] == {"clicks": {0: 509}}


def test_the_metrics_are_those_of_faust(watched: Watched) -> None:
    theirs = CollectorRegistry()
    faust_alone = PrometheusMonitor(FaustMetrics.create(theirs, "faust"))
    for monitor in (watched.monitor, faust_alone):
        for number in range(3):
            pass_through(monitor, watched.stream, single(number))
        monitor.track_tp_end_offset(CLICKS, 3)
    assert shown(watched.registry) == shown(theirs)


def test_what_is_shown_of_partitions_begins_anew_after_a_rebalance(watched: Watched) -> None:
    def offset() -> float | None:
        return watched.gauge("messages_received_per_topics_partition", topic="clicks", partition="0")

    watched.read(single(7))()
    assert offset() == 7
    watched.monitor.on_rebalance_start(watched.stream.app)
    assert offset() is None
    watched.read(single(8))()
    assert offset() == 8
    assert watched.gauge("messages_received_per_topic_total", topic="clicks") == 1


def test_a_single_message_counts_as_one(watched: Watched) -> None:
    watched.read(single(7))()
    stats = watched.monitor.asdict()
    assert stats["messages_received_total"] == stats["events_total"] == 1
    assert stats["messages_active"] == stats["events_active"] == 0
