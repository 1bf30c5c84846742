"""Redriven records on their way through internal topics, and in a format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from redriven import MARK, mark, report, wait_read
from redriving_kinds_app import QUOTE
from topics import Received, Topics
from worker import Worker, wait_until

from streamapp.formats import Avro


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "redrive-kinds", partitions=1)
    topics.create("payments", "customers", "rates", "orders", "quotes")
    topics.now -= topics.now % 100
    return topics


def read(topics: Topics, name: str, count: int) -> list[Received]:
    """Wait until a topic has so many records."""
    return wait_until(lambda: found if len(found := topics.read(name)) >= count else None, f"{name} has {count}")


def told(message: Received) -> tuple[Any, bool]:
    """Return the value of a result, and whether it is marked as a correction."""
    return json.loads(message.value()), MARK in dict(message.headers() or ())


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_features_by_several_keys_and_windows_by_a_field_have_the_record_once(
    topics: Topics, tmp_path: Path, guarantee: str
) -> None:
    settings = {**topics.settings, "processing_guarantee": guarantee}
    mended = ("--set", "amount=number(amount)", "--execute")
    with Worker(tmp_path, app="redriving_kinds_app", **settings) as worker:
        worker.wait_ready()
        topics.send("payments", "k", {"ip": "a", "amount": "2"}, at=10)
        topics.send("payments", "k", {"ip": "a", "amount": 1}, at=20)
        topics.flush()
        read(topics, "dead_letters", 2)
        read(topics, "features.results", 1)
        assert report(topics, "--by", "features", *mended, processing_guarantee=guarantee)["sent"] == 1
        plain, again = read(topics, "features.results", 2)
        assert told(plain) == ({"ip": "a", "amount": 1, "n": 1, "spent": 1}, False)
        assert told(again) == ({"ip": "a", "amount": 2, "n": 1, "spent": 2}, True)
        assert again.timestamp()[1] == topics.now + 10
        assert report(topics, "--by", "ips", *mended, processing_guarantee=guarantee)["sent"] == 1
        topics.send("payments", "k", {"ip": "a", "amount": 5}, at=60_000)
        topics.flush()
        (total,) = read(topics, "ips.results", 1)
        assert told(total) == ({"key": "a", "start": topics.now, "end": topics.now + 100, "total": 3}, True)
        wait_read(topics, worker, "payments")
        assert [told(one)[1] for one in read(topics, "features.results", 3)] == [False, True, False]


def test_a_row_with_a_foreign_key_is_joined_and_its_result_is_marked(topics: Topics, tmp_path: Path) -> None:
    with Worker(tmp_path, app="redriving_kinds_app", **topics.settings) as worker:
        worker.wait_ready()
        topics.send("customers", "c1", {"name": "ann"})
        topics.send("orders", "o1", {"client": "c1"}, at=10)
        topics.send("orders", "o2", {"customer": "c1"}, at=20)
        topics.flush()
        read(topics, "dead_letters", 1)
        read(topics, "known.joined", 1)
        assert report(topics, "--by", "known", "--rename", "client=customer", "--execute")["sent"] == 1
        results = {one.key(): one for one in read(topics, "known.joined", 2)}
        assert told(results[b"o1"]) == ({"left": {"customer": "c1"}, "right": {"name": "ann"}}, True)
        assert "join" not in mark(results[b"o1"])
        assert told(results[b"o2"])[1] is False
        topics.send("customers", "c1", {"name": "bob"}, at=30)
        topics.flush()
        assert [told(one)[1] for one in read(topics, "known.joined", 4)][2:] == [False, False]


def test_a_value_in_avro_is_mended_as_json_and_sent_as_avro(topics: Topics, tmp_path: Path) -> None:
    quote = Avro(QUOTE).bound("quotes")
    with Worker(tmp_path, app="redriving_kinds_app", **topics.settings) as worker:
        worker.wait_ready()
        topics.send("quotes", "q1", quote.from_json(b'{"item": "tea", "price": null}'), at=10)
        topics.flush()
        read(topics, "dead_letters", 1)
        formats = ("--format", "avro", "--schema", str(QUOTE))
        assert report(topics, *formats, "--where", "price == null", "--set", "price=1.5", "--execute")["mended"] == 1
        (result,) = read(topics, "priced.joined", 1)
        assert told(result) == ({"left": {"item": "tea", "price": 1.5}, "right": None}, True)
        _, sent = read(topics, "quotes", 2)
        assert json.loads(quote.to_json(sent.value())) == {"item": "tea", "price": 1.5}
