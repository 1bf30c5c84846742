"""The benchmark of a worker that is looked at, with little to do."""

from __future__ import annotations

import sys
from pathlib import Path

from made_up import snapshot
from page_server import PageServer
from worker import wait_until

from benchmarks.peers import Streamapp
from benchmarks.runner import Runner
from benchmarks.topics import Topics
from benchmarks.watched import looking, measure
from benchmarks.workload import Workload
from streamapp.embedded_kafka import EmbeddedKafka


def test_pages_and_streams_are_open_and_metrics_are_scraped_until_it_is_over() -> None:
    with looking(tabs=1, streams=1, nice=0) as (port, looks), PageServer(port) as server:
        server.answers |= {path: lambda _: [] for path in ("/health/live", "/metrics", "/api/group/history")}
        server.tell("worker", snapshot(0))
        wait_until(lambda: server.listeners == 2, "a page and a stream are open")
        wait_until(lambda: server.asked.count(("/metrics", {})) > 1, "the metrics were scraped again")
    (look,) = looks
    assert look.scrapes > 1
    assert len(look.snapshots) == 2
    assert all(look.snapshots)


def test_the_clicks_are_joined_right_with_and_without_who_looks(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    runner, load = Runner(Topics(kafka.bootstrap), kafka.pid, tmp_path), Workload(users=20, clicks=503)
    found = measure(runner, Streamapp(Path(sys.executable).parent), load, rounds=1, tabs=1, nice=0)
    runner.forget(load)
    assert [run.check.ok for run in (*found.without, *found.watched)] == [True, True]
    assert len(found.looks) == 1
    assert str(found).startswith("watched ")
