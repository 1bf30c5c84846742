"""Faust's counts are of records, however many of them come at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import faust
import pytest
from faust.sensors.prometheus import FaustMetrics
from faust.types import TP
from prometheus_client import CollectorRegistry

from streamapp.batching.batch import Batch
from streamapp.batching.monitor import Monitor

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
        self._stream = faust.App("watched").stream([])
        self._stream.task_owner = type("Task", (), {})()

    def read(self, message: Any) -> Callable[[], None]:
        """Have an agent begin with a message; what is given ends it."""
        at = CLICKS, message.offset
        event = faust.Event(self._stream.app, None, message.value, None, message)
        self.monitor.on_message_in(*at, message)
        state = self.monitor.on_stream_event_in(*at, self._stream, event)

        def end() -> None:
            self.monitor.on_stream_event_out(*at, self._stream, event, state)
            self.monitor.on_message_out(*at, message)

        return end

    def gauge(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"faust_{name}", labels)


def batch(first: int, count: int) -> Any:
    return Batch(CLICKS, [Record(offset) for offset in range(first, first + count)]).message(1)


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


def test_a_single_message_counts_as_one(watched: Watched) -> None:
    watched.read(single(7))()
    stats = watched.monitor.asdict()
    assert stats["messages_received_total"] == stats["events_total"] == 1
    assert stats["messages_active"] == stats["events_active"] == 0
