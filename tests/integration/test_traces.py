"""Spans of batches, as a collector of OpenTelemetry gets them."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from topics import Topics
from worker import Worker, wait_until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


class Collector:
    """Takes spans over HTTP, as protobuf."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services = set[str]()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                collector.take(self.rfile.read(int(self.headers["Content-Length"])), self.headers)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, body: bytes, headers: Any) -> None:
        assert headers.get("Content-Encoding", "identity") == "identity"
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            self.services |= {
                one.value.string_value for one in resource.resource.attributes if one.key == "service.name"
            }
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]

    def named(self, name: str) -> list[Any]:
        return [span for span in list(self.spans) if span.name == name]


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    serving = threading.Thread(target=found.server.serve_forever, args=(0.05,))
    serving.start()
    yield found
    found.server.shutdown()
    serving.join()
    found.server.server_close()


def test_a_batch_has_a_span_from_its_fetch_to_its_commit_and_results_keep_their_trace(
    kafka: Any, tmp_path: Path, collector: Collector
) -> None:
    topics = Topics(kafka.bootstrap, "traces", partitions=1)
    topics.create("user_profiles", "user_clicks")
    topics.profiles(range(1))
    click = {"click_id": "c1", "user_id": "u0", "url": "/"}
    topics.send("user_clicks", "u0", click, headers=[("traceparent", PARENT.encode())])
    topics.flush()
    name = f"process {topics.prefix}user_clicks"
    with Worker(tmp_path, traces=collector.url, **topics.settings) as worker:
        wait_until(lambda: topics.end("joined_data") == 1, "the click is joined")
        wait_until(lambda: topics.committed("user_clicks") == 1, "the click is committed")
        assert worker.terminate() == 0
    (result,) = topics.read("joined_data")
    assert dict(result.headers())["traceparent"] == PARENT.encode()

    (span,) = collector.named(name)
    assert collector.services == {topics.id}
    assert [link.trace_id.hex() for link in span.links] == [TRACE]
    parts = [one for one in collector.spans if one.parent_span_id == span.span_id]
    assert [one.name.split()[0] for one in sorted(parts, key=lambda one: one.start_time_unix_nano)] == [
        "receive",
        "process",
        "commit",
    ]
    for one in parts:
        assert span.start_time_unix_nano <= one.start_time_unix_nano <= one.end_time_unix_nano
        assert one.end_time_unix_nano <= span.end_time_unix_nano
