"""Traces (``STREAMAPP_TRACES``): a span for each batch, from being fetched until it is committed, by OpenTelemetry.

A sensor of Faust's (0.15.3), which is added only if it is wanted: without it a batch is called on nothing more. Records
that have a ``traceparent`` header (W3C Trace Context) keep it, as all of their headers, in the results that have those;
the span of their batch has links to them.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any, Final, NamedTuple, cast

from faust.sensors.base import Sensor
from faust.types import TP, AppT, EventT, Message, StreamT
from faust.types.transports import ConsumerT
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from streamapp.runtime.batch import Batch
from streamapp.worker.app import App

__all__ = ["Traces"]

#: Records of a batch that are looked at for traces of their own, evenly spaced.
LINKS: Final = 16
#: Batches of a partition whose commit is waited for; of more the oldest are told without it.
WAITING: Final = 1_000
#: Seconds that a collector may take: spans that it does not take are lost, and a worker that stops waits no longer.
EXPORT_TIMEOUT_S: Final = 2.0

_propagator = TraceContextTextMapPropagator()


class _Waiting(NamedTuple):
    """A batch that the agents are done with, and that is not committed."""

    #: Offset of its last record.
    last: int
    span: Span


class Traces(Sensor):
    """Makes spans, and sends them in a thread of the exporter's."""

    def __init__(self, app: App, **options: Any) -> None:
        super().__init__(**options)
        self._app = app
        about = {"service.name": app.conf.id, "service.instance.id": app.settings.member_id(app.conf.web_port)}
        self._provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(f"{app.settings.traces.rstrip('/')}/v1/traces", timeout=EXPORT_TIMEOUT_S)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("streamapp")
        #: By partition and last offset, the spans of batches that agents have.
        self._open: dict[tuple[TP, int], Span] = {}
        #: By partition, those that wait for a commit, the oldest first.
        self._waiting: dict[TP, deque[_Waiting]] = {}

    async def on_stop(self) -> None:
        """Send what there is."""
        self._give_up()
        await asyncio.to_thread(self._provider.shutdown)

    def on_message_in(self, tp: TP, offset: int, message: Message) -> None:
        """Begin the span of a batch, when it was fetched; it has been received by now."""
        batch = cast(object, message.value)
        if not isinstance(batch, Batch):
            return
        lane, now = self._app.batch_consumer.alignment.lanes.get(tp), time.time_ns()
        waited_s = 0.0 if lane is None else time.monotonic() - lane.since
        began = now - int(waited_s * 1e9)
        span = self._tracer.start_span(
            f"process {tp.topic}",
            kind=SpanKind.CONSUMER,
            start_time=began,
            links=_links(batch),
            attributes={
                "messaging.system": "kafka",
                "messaging.operation.type": "process",
                "messaging.destination.name": tp.topic,
                "messaging.destination.partition.id": str(tp.partition),
                "messaging.consumer.group.name": self._app.conf.id,
                "messaging.batch.message_count": len(batch),
                "messaging.kafka.offset": batch.records[0].offset,
                "streamapp.last_offset": offset,
            },
        )
        self._part(span, "receive", began, now)
        self._open[tp, offset] = span

    def on_stream_event_in(self, tp: TP, offset: int, stream: StreamT[Any], event: EventT[Any]) -> dict[str, int]:
        """Take note of when an agent begins."""
        return {"began": time.time_ns()}

    def on_stream_event_out(
        self, tp: TP, offset: int, stream: StreamT[Any], event: EventT[Any], state: dict[str, int] | None = None
    ) -> None:
        """Tell how long an agent has worked on it."""
        if (span := self._open.get((tp, offset))) is not None and state:
            self._part(span, f"process {stream.shortlabel}", state["began"], time.time_ns())

    def on_message_out(self, tp: TP, offset: int, message: Message) -> None:
        """Have the span wait for the commit, once all agents are done with the batch."""
        if (span := self._open.pop((tp, offset), None)) is not None:
            waiting = self._waiting.setdefault(tp, deque())
            waiting.append(_Waiting(offset, span))
            if len(waiting) > WAITING:
                waiting.popleft().span.end()

    def on_commit_initiated(self, consumer: ConsumerT) -> int:
        """Take note of when a commit begins."""
        return time.time_ns()

    def on_commit_completed(self, consumer: ConsumerT, state: int) -> None:
        """End the spans of what is committed."""
        now, lanes = time.time_ns(), self._app.batch_consumer.alignment.lanes
        for tp, waiting in self._waiting.items():
            committed = lanes[tp].committed if tp in lanes else None
            while waiting and committed is not None and waiting[0].last < committed:
                span = waiting.popleft().span
                self._part(span, "commit", state, now)
                span.end(now)

    def on_rebalance_start(self, app: AppT) -> dict[str, Any]:
        """End all spans: what is not committed by now is read again, maybe elsewhere."""
        self._give_up()
        return {}

    def _give_up(self) -> None:
        for span in [*self._open.values(), *(one.span for waiting in self._waiting.values() for one in waiting)]:
            span.set_attribute("streamapp.committed", value=False)
            span.end()
        self._open.clear()
        self._waiting.clear()

    def _part(self, span: Span, name: str, began: int, ended: int) -> None:
        self._tracer.start_span(name, set_span_in_context(span), start_time=began).end(ended)


def _links(batch: Batch) -> list[Link]:
    """Return links to the traces of records, of some if there are many."""
    records = batch.records
    found = []
    for record in records[:: -(-len(records) // LINKS)]:
        for name, value in record.headers:
            if name == "traceparent" and value is not None:
                given = {"traceparent": value.decode(errors="replace")}
                context = get_current_span(_propagator.extract(given)).get_span_context()
                if context.is_valid:
                    found.append(Link(context, {"messaging.kafka.offset": record.offset}))
                break
    return found
