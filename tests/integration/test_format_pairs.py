"""Joins of each format with each, windows of each into each: what comes out is the same, whatever it is written as."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from format_pairs import KINDS, format_of, into
from topics import Topics
from worker import Worker, wait_until

MINUTE = 60_000
ORDERS = {"ann": [1.5, 2.25], "bob": [40.0]}


@pytest.fixture(scope="module")
def topics(kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topics]:
    topics = Topics(kafka.bootstrap, "pairs", partitions=1)
    topics.now -= topics.now % MINUTE + 10 * MINUTE
    topics.create(*(f"{name}_{kind}" for kind in KINDS for name in ("orders", "customers")))
    for kind in KINDS:
        send(topics, "customers", kind, "ann", {"name": "Ann"}, at=0)
    topics.flush()
    for kind in KINDS:
        for customer, amounts in ORDERS.items():
            for amount in amounts:
                send(topics, "orders", kind, customer, {"customer": customer, "amount": amount}, at=1_000)
        send(topics, "orders", kind, "eve", {"customer": "eve", "amount": 1}, at=MINUTE)
    topics.flush()
    directory = tmp_path_factory.mktemp("pairs")
    with Worker(directory, app="format_pairs_app", **topics.settings, store="memory://"):
        for one, other in itertools.product(KINDS, repeat=2):
            wait_until(lambda name=f"joined_{one}_{other}": topics.end(name) == 4, f"{one} with {other} is joined")
            wait_until(lambda name=f"sums_{one}_{other}": topics.end(name) == 2, f"{one} is summed up into {other}")
        assert topics.end("dead_letters") == 0
        yield topics


def send(topics: Topics, name: str, kind: str, key: str, value: Any, at: int) -> None:
    format_ = format_of(kind, "Order" if name == "orders" else "Customer").bound(name)
    topics.send(f"{name}_{kind}", key, format_.from_json(json.dumps(value).encode()), at=at)


def values(topics: Topics, name: str, kind: str, of: str) -> list[Any]:
    format_ = format_of(kind, of).bound(name)
    return [json.loads(format_.to_json(message.value())) for message in topics.read(name)]


@pytest.mark.parametrize(("left", "right"), list(itertools.product(KINDS, repeat=2)))
def test_a_join_of_each_pair_of_formats_gives_the_same_results(topics: Topics, left: str, right: str) -> None:
    found = values(topics, f"joined_{left}_{right}", into(left, right), "Joined")
    assert sorted((one["left"]["customer"], one["left"]["amount"], one["right"]) for one in found if one["right"]) == [
        ("ann", 1.5, {"name": "Ann"}),
        ("ann", 2.25, {"name": "Ann"}),
    ]
    missing = [one["left"]["customer"] for one in found if one["right"] is None]
    assert sorted(missing) == ["bob", "eve"]


@pytest.mark.parametrize(("kind", "result"), list(itertools.product(KINDS, repeat=2)))
def test_a_window_of_each_format_gives_the_same_sums_in_each(topics: Topics, kind: str, result: str) -> None:
    found = values(topics, f"sums_{kind}_{result}", result, "Sum")
    assert sorted((one["key"], one["start"], one["n"], one["total"]) for one in found) == [
        ("ann", topics.now, 2, 3.75),
        ("bob", topics.now, 1, 40),
    ]
