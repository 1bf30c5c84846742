"""The rows of a table that is joined are in one of their own, to be looked at, and outlive a restart with the join."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from topics import Topics
from worker import Worker, wait_until

from streamapp.settings import Guarantee


@pytest.fixture
def topics(kafka: Any, monkeypatch: pytest.MonkeyPatch) -> Topics:
    monkeypatch.setenv("JOINS", "enriched")
    topics = Topics(kafka.bootstrap, "joined-tables", partitions=1)
    topics.create("purchases", "customers")
    topics.send("customers", "ann", {"name": "Ann"}, at=1)
    topics.send("customers", "bob", {"name": "Bob"}, at=2)
    topics.send("customers", "bob", None, at=3)
    topics.send("purchases", "ann", {"purchases": 1}, at=4)
    topics.flush()
    return topics


def values(topics: Topics) -> list[dict[str, Any]]:
    return [json.loads(message.value()) for message in topics.read("enriched.joined")]


def test_the_row_of_a_key_is_answered_as_it_came(topics: Topics, tmp_path: Path) -> None:
    with Worker(tmp_path, app="joining_app", **topics.settings) as worker:
        wait_until(lambda: worker.answers("/table/customers/ann/"), "the row is there")
        answer = worker.get("/table/customers/ann/")
        event_time = topics.read("customers")[0].timestamp()[1]
        assert (answer.json(), answer.headers["X-Event-Time"]) == ({"name": "Ann"}, str(event_time))
        assert worker.get("/table/customers/bob/").status == 404


def test_the_inner_state_of_a_join_is_no_table_to_look_at(topics: Topics, tmp_path: Path) -> None:
    with Worker(tmp_path, app="joining_app", **topics.settings) as worker:
        wait_until(lambda: worker.answers("/table/customers/ann/"), "the row is there")
        assert [table["name"] for table in worker.get("/table/").json()] == ["customers"]
        assert worker.get("/table/enriched/").status == 404


@pytest.mark.parametrize("guarantee", list(Guarantee))
@pytest.mark.parametrize("store", ["memory://", "rocksdb://"])
def test_after_a_restart_records_find_the_rows_from_before(
    topics: Topics, tmp_path: Path, store: str, guarantee: Guarantee
) -> None:
    settings = {**topics.settings, "store": store, "processing_guarantee": guarantee.value}
    with Worker(tmp_path, app="joining_app", **settings) as worker:
        wait_until(lambda: topics.committed("purchases") == 1, "the first record is done")
        worker.terminate()
    topics.send("purchases", "ann", {"purchases": 2}, at=5)
    topics.flush()
    with Worker(tmp_path, app="joining_app", **settings):
        wait_until(lambda: len(values(topics)) > 1, "there is another one")
    assert [value["right"] for value in values(topics)] == [{"name": "Ann"}] * 2


def test_a_state_whose_rows_are_gone_is_refused_in_one_line(topics: Topics, tmp_path: Path) -> None:
    settings = {**topics.settings, "store": "memory://"}
    with Worker(tmp_path, app="joining_app", **settings) as worker:
        wait_until(lambda: topics.committed("purchases") == 1, "the first record is done")
        worker.terminate()
    admin, changelog = AdminClient({"bootstrap.servers": topics.bootstrap}), f"{topics.id}-customers-changelog"
    admin.delete_topics([changelog])[changelog].result()
    wait_until(lambda: changelog not in admin.list_topics().topics, "the changelog is gone")
    with Worker(tmp_path, app="joining_app", **settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker ends")
        last = worker.log.splitlines()[-1]
    assert "join enriched cannot go on with its state: the table customers has lost its rows" in last
    assert last.startswith("streamapp: ")
