"""When nothing comes out of a join, it says so within seconds: how many records, why, an example and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from topics import Topics
from worker import Worker, wait_until

COUNT = 120
JOIN = "join --left orders --right customers --to joined --how left --on"
AVRO = b"\x00\x00\x00\x00\x11\x04c0\x0aorder"

Send = Callable[[int], tuple[Any, Any]]


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "nothing", partitions=2)
    topics.create("orders", "customers")
    return topics


def order(number: int) -> dict[str, Any]:
    return {"customer_id": f"c{number % 20}", "order": number}


def send(topics: Topics, name: str, count: int, of: Send, at: int = 0) -> None:
    for number in range(count):
        key, value = of(number)
        topics.send(name, key, value, at=at)
    topics.flush()


def customers(topics: Topics, key: Callable[[str], str] = str) -> None:
    send(topics, "customers", 20, lambda number: (key(f"c{number}"), {"customer_id": f"c{number}", "name": "Ann"}))


def warnings(worker: Worker, text: str) -> list[str]:
    return [line for line in worker.log.splitlines() if text in line]


def problems(worker: Worker) -> list[str]:
    answer = worker.answers("/health/ready", 503)
    return list(answer.json()["problems"]) if answer else []


def letters(topics: Topics) -> Iterator[dict[str, bytes]]:
    return (dict(message.headers()) for message in topics.read("dead_letters"))


CASES = {
    "a misspelt field": ("custmer_id", lambda n: (f"c{n % 20}", order(n)), "missing_field", "is customer_id meant?"),
    "no keys": ("customer_id", lambda n: (None, order(n)), "refused", "--repartition left"),
    "keys with quotes": ("customer_id", lambda n: (f'"c{n % 20}"', order(n)), "refused", "--repartition left"),
    "Avro": (
        "customer_id",
        lambda n: (f"c{n % 20}", AVRO),
        "not_json",
        "Avro or Protobuf of a schema registry (schema 17)",
    ),
    "text": ("customer_id", lambda n: (f"c{n % 20}", b"c0;an order"), "not_json", "the value is plain text"),
}


@pytest.mark.parametrize(("field", "of", "reason", "told"), CASES.values(), ids=CASES)
def test_records_that_cannot_be_joined_are_dead_letters_a_warning_and_a_problem(
    topics: Topics, tmp_path: Path, field: str, of: Send, reason: str, told: str
) -> None:
    if field == "customer_id":
        customers(topics)
    send(topics, "orders", COUNT, of, at=1)
    with Worker(tmp_path, command=[*JOIN.split(), field], **topics.settings) as worker:
        found = wait_until(lambda: problems(worker), "the worker is not ready")
        wait_until(lambda: topics.end("dead_letters") == COUNT, "each order is a dead letter")
        (line,) = warnings(worker, f"records of {topics.prefix}orders in the join")
        metrics = worker.get("/metrics").body.decode()
    assert f"{COUNT} of {COUNT} records" in line
    assert f"{reason} {COUNT}" in line
    assert told in line
    (problem,) = found
    assert f"{COUNT} of {COUNT} records of {topics.prefix}orders" in problem
    assert "c0" not in problem
    assert Counter((letter["reason"], letter["topic"]) for letter in letters(topics)) == {
        (reason.encode(), f"{topics.prefix}orders".encode()): COUNT
    }
    assert f'streamapp_records_rejected_total{{reason="{reason}",topic="{topics.prefix}orders"}} {COUNT}.0' in metrics
    assert topics.end("joined") == 0
