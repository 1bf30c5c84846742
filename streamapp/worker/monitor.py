"""The monitor: for Faust's sensors, a batch is as many messages and events as it has records."""

from __future__ import annotations

import functools
from weakref import WeakKeyDictionary

from faust.sensors.monitor import Monitor as Sensors
from faust.sensors.prometheus import FaustMetrics, PrometheusMonitor
from faust.types import TP, EventT, Message, StreamT
from prometheus_client import Counter, Gauge

from streamapp.runtime.batch import Batch

__all__ = ["Monitor"]

State = dict[str, float]


class Monitor(PrometheusMonitor):
    """Faust's monitor (``/``, ``/performance/`` and ``/metrics``), which counts the records of a batch.

    Faust (`faust.sensors`, 0.15.3) counts one for each message and event, and a batch is one of each. Offsets need
    no care: a batch has the offset of its last record, so that lag is in records. Times are those of whole batches.

    What is called for each batch leaves out `PrometheusMonitor`, which takes 0.1 ms for it, a tenth of all that a
    small batch costs, and does here what that does. To find a series by its labels alone takes 5 µs: they are kept.
    """

    def __init__(self, metrics: FaustMetrics, **options: object) -> None:
        super().__init__(metrics, **options)
        self._events: WeakKeyDictionary[StreamT[Batch], Counter] = WeakKeyDictionary()

        @functools.cache
        def received(topic: str) -> Counter:
            return metrics.messages_received_per_topics.labels(topic=topic)

        @functools.cache
        def read(tp: TP) -> Gauge:
            return metrics.messages_received_per_topics_partition.labels(topic=tp.topic, partition=tp.partition)

        @functools.cache
        def end(tp: TP) -> Gauge:
            return metrics.topic_partition_end_offset.labels(topic=tp.topic, partition=tp.partition)

        self._received, self._read, self._end = received, read, end

    def on_message_in(self, tp: TP, offset: int, message: Message) -> None:
        """Count the records that an agent begins with."""
        Sensors.on_message_in(self, tp, offset, message)
        records = _records(message)
        self.messages_received_total += records - 1
        self.messages_received_by_topic[tp.topic] += records - 1
        self.messages_active += records - 1
        self._metrics.messages_received.inc(records)
        self._metrics.active_messages.inc(records)
        self._received(tp.topic).inc(records)
        self._read(tp).set(offset)

    def on_stream_event_in(self, tp: TP, offset: int, stream: StreamT[Batch], event: EventT[Batch]) -> State | None:
        """Count the records that a stream begins with."""
        state = Sensors.on_stream_event_in(self, tp, offset, stream, event)
        records = _records(event.message)
        self.events_total += records - 1
        self.events_by_stream[self.stream_lookup[stream]] += records - 1
        self.events_by_task[self.task_lookup[stream.task_owner]] += records - 1
        self.events_active += records - 1
        self._metrics.total_events.inc(records)
        self._metrics.total_active_events.inc(records)
        if (events := self._events.get(stream)) is None:
            name = f"stream.{self._stream_label(stream)}.events"
            events = self._events[stream] = self._metrics.total_events_per_stream.labels(stream=name)
        events.inc(records)
        return state

    def on_stream_event_out(
        self, tp: TP, offset: int, stream: StreamT[Batch], event: EventT[Batch], state: State | None = None
    ) -> None:
        """Count the records that a stream is done with."""
        Sensors.on_stream_event_out(self, tp, offset, stream, event, state)
        records = _records(event.message)
        self._metrics.total_active_events.dec(records)
        if state is not None:
            self.events_active -= records - 1
            self._metrics.events_runtime_latency.observe(self.secs_to_ms(self.events_runtime[-1]))

    def on_message_out(self, tp: TP, offset: int, message: Message) -> None:
        """Count the records that all agents are done with."""
        Sensors.on_message_out(self, tp, offset, message)
        records = _records(message)
        self.messages_active -= records - 1
        self._metrics.active_messages.dec(records)

    def track_tp_end_offset(self, tp: TP, offset: int) -> None:
        """Take note of the end of a partition."""
        Sensors.track_tp_end_offset(self, tp, offset)
        self._end(tp).set(offset)

    def _clear_partition_related_metrics(self) -> None:
        super()._clear_partition_related_metrics()
        for series in (self._received, self._read, self._end):
            series.cache_clear()  # those there were are shown no more


def _records(message: Message) -> int:
    return len(message.value) if isinstance(message.value, Batch) else 1
