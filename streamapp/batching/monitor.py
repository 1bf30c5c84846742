"""The monitor: for Faust's sensors, a batch is as many messages and events as it has records."""

from __future__ import annotations

from typing import Any

from faust.sensors.prometheus import PrometheusMonitor
from faust.types import TP

from streamapp.batching.batch import Batch

__all__ = ["Monitor"]


class Monitor(PrometheusMonitor):
    """Faust's monitor (``/``, ``/performance/`` and ``/metrics``), which counts the records of a batch.

    Faust (`faust.sensors`, 0.15.3) counts one for each message and event, and a batch is one of each. Offsets need
    no care: a batch has the offset of its last record, so that lag is in records. Times are those of whole batches.
    """

    def on_message_in(self, tp: TP, offset: int, message: Any) -> None:
        """Count the records that an agent begins with."""
        super().on_message_in(tp, offset, message)
        more = _more(message)
        self.messages_received_total += more
        self.messages_received_by_topic[tp.topic] += more
        self.messages_active += more
        self._metrics.messages_received.inc(more)
        self._metrics.messages_received_per_topics.labels(topic=tp.topic).inc(more)
        self._metrics.active_messages.inc(more)

    def on_stream_event_in(self, tp: TP, offset: int, stream: Any, event: Any) -> dict[Any, Any] | None:
        """Count the records that a stream begins with."""
        state = super().on_stream_event_in(tp, offset, stream, event)
        more = _more(event.message)
        self.events_total += more
        self.events_by_stream[self.stream_lookup[stream]] += more
        self.events_by_task[self.task_lookup[stream.task_owner]] += more
        self.events_active += more
        self._metrics.total_events.inc(more)
        self._metrics.total_events_per_stream.labels(stream=f"stream.{self._stream_label(stream)}.events").inc(more)
        self._metrics.total_active_events.inc(more)
        return state

    def on_stream_event_out(
        self, tp: TP, offset: int, stream: Any, event: Any, state: dict[Any, Any] | None = None
    ) -> None:
        """Count the records that a stream is done with."""
        super().on_stream_event_out(tp, offset, stream, event, state)
        if state is not None:
            self.events_active -= _more(event.message)
        self._metrics.total_active_events.dec(_more(event.message))

    def on_message_out(self, tp: TP, offset: int, message: Any) -> None:
        """Count the records that all agents are done with."""
        super().on_message_out(tp, offset, message)
        self.messages_active -= _more(message)
        self._metrics.active_messages.dec(_more(message))


def _more(message: Any) -> int:
    """Give how many records a message has besides the one that Faust counts."""
    return len(message.value) - 1 if isinstance(message.value, Batch) else 0
