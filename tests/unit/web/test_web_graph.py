from __future__ import annotations

from mode.utils.trees import Node

from streamapp.web.graph import lines


def test_services_are_told_from_the_root_down_each_under_the_one_that_started_it() -> None:
    worker = Node("worker")
    app = worker.new("app")
    app.new("producer")
    app.new("consumer").new("fetcher")
    worker.new("website")
    told = ["worker", "  app", "    producer", "    consumer", "      fetcher", "  website"]
    assert list(lines(worker)) == told
