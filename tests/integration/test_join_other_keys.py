"""Joins by another key than the record's own: a foreign key, and a global table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from joined import balance, produce
from joining_app import customer
from ports import free_port
from topics import Topics
from worker import Worker, wait_until

from streamapp.joins import Event

PORT = free_port()


@pytest.fixture
def topics(kafka) -> Topics:
    """Topics that are not partitioned alike."""
    topics = Topics(kafka.bootstrap, "foreign", partitions=2)
    topics.create("purchases", "views")
    topics.create("customers", partitions=3)
    return topics


def rows(topics: Topics, name: str) -> dict[bytes, Any]:
    """Give the rows of a table, as its topic has them: of each key the last one."""
    messages = topics.read(name)
    found = {message.key(): message.value() for message in messages if message.key() is not None}
    return {key: json.loads(value) for key, value in found.items() if value is not None}


def expected(topics: Topics, how: str) -> dict[bytes, Any]:
    customers, table = rows(topics, "customers"), {}
    for key, purchase in rows(topics, "purchases").items():
        names = customer(Event(key, json.dumps(purchase).encode(), 0))
        found = customers.get(names) if names else None
        if found is not None or how == "left":
            table[key] = {"left": purchase, "right": found}
    return table


@pytest.mark.parametrize(
    ("join", "how", "guarantee"),
    [
        ("foreign-key", "inner", "at_least_once"),
        ("left-foreign-key", "left", "at_least_once"),
        ("left-foreign-key", "left", "exactly_once"),
    ],
)
def test_by_a_foreign_key_the_joined_table_follows_both_tables_over_a_kill(
    topics: Topics, tmp_path: Path, join: str, how: str, guarantee: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOINS", join)
    settings = {**topics.settings, "processing_guarantee": guarantee}
    result = f"{join}.joined"
    produce(topics, 300, keys=40)
    with Worker(tmp_path, app="joining_app", web_port=PORT, **settings) as worker:
        wait_until(lambda: topics.end(result) > 0, "there are results")
        worker.kill()
    produce(topics, 300, keys=40, seed=2, start=1_000)
    with Worker(tmp_path, app="joining_app", web_port=PORT, **settings) as worker:
        worker.wait_ready()
        wait_until(lambda: rows(topics, result) == expected(topics, how), "the joined table is up to date")
        for number in range(30):
            topics.send("customers", f"k{number}", None if number % 3 else {"customers": -number}, at=10_000)
            topics.send("purchases", f"k{number}", {"purchases": 100 + 7 * number}, at=10_000)
        topics.flush()
        wait_until(lambda: rows(topics, result) == expected(topics, how), "the joined table is up to date again")
        wait_until(lambda: balance(worker, join)["pending"] == 0, "no answer is waited for any more")


def test_a_global_table_is_whole_before_the_first_record_is_joined(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOINS", "global")
    produce(topics, 300)
    with Worker(tmp_path, app="joining_app", **topics.settings) as worker:
        worker.wait_ready()
        wait_until(lambda: topics.committed("purchases") == topics.end("purchases"), "the purchases are joined")
    customers = rows(topics, "customers")
    results = [json.loads(message.value()) for message in topics.read("global.joined")]
    assert len(results) == topics.end("purchases")
    for result in results:
        names = customer(Event(None, json.dumps(result["left"]).encode(), 0))
        assert result["right"] == (customers.get(names) if names else None)
