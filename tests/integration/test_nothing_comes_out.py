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


def words(line: str) -> list[str]:
    return line.split()


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
    "no keys": ("customer_id", lambda n: (None, order(n)), "null_key", "--repartition left"),
    "keys with quotes": ("customer_id", lambda n: (f'"c{n % 20}"', order(n)), "key_mismatch", "--repartition left"),
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
    with Worker(tmp_path, command=[*words(JOIN), field], **topics.settings) as worker:
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


def test_orders_without_customers_are_told_with_how_keys_differ_until_most_join(topics: Topics, tmp_path: Path) -> None:
    """The click join and the declared ones alike; here the profiles' keys have the quotes of a JSON string."""
    topics.create("user_clicks", "user_profiles")
    send(topics, "user_clicks", COUNT, lambda n: (f"u{n}", {"click_id": f"{n}", "user_id": f"u{n}", "url": "/"}), at=1)
    with Worker(tmp_path, **topics.settings) as worker:
        (problem,) = wait_until(lambda: problems(worker), "the worker is not ready")
        (line,) = warnings(worker, f"records of {topics.prefix}user_clicks")
        assert "the table user_profiles has no rows: is that the right topic" in line
        metrics = worker.get("/metrics").body.decode()
        topics.profiles(range(10))
        topics.clicks(range(2 * COUNT), users=10, at=2)
        worker.wait_ready()
    assert f"{COUNT} of {COUNT} records of {topics.prefix}user_clicks" in problem
    assert f"unmatched {COUNT}" in problem
    labels = f'{{reason="unmatched",topic="{topics.prefix}user_clicks"}}'
    assert f"streamapp_records_unmatched_total{labels} {COUNT}.0" in metrics
    assert f'streamapp_mostly_nothing{{what="{topics.prefix}user_clicks"}} 1.0' in metrics


def test_keys_that_the_table_has_in_another_form_are_told_beside_a_missing_one(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOINS", "ttl")
    topics.create("purchases", "views")
    send(topics, "customers", 20, lambda n: (f'"c{n}"', {"customers": n}))
    send(topics, "purchases", 20, lambda n: (f"c{n}", {"purchases": n}), at=1)
    with Worker(tmp_path, app="joining_app", **topics.settings) as worker:
        (problem,) = wait_until(lambda: problems(worker), "the worker is not ready")  # after ten seconds: they are few
        (line,) = warnings(worker, "records of")
    assert f"20 of 20 records of {topics.prefix}purchases in the join ttl since the start" in problem
    assert "unmatched 20" in problem
    assert f"those of the table of {topics.prefix}customers are such as" in line
    assert "they differ by the quotes of a JSON string" in line


def test_two_streams_of_which_no_record_finds_a_partner_are_told_with_a_key_of_each(
    topics: Topics, tmp_path: Path
) -> None:
    send(topics, "orders", COUNT, lambda n: (f"c{n}", {"id": f"c{n}"}))
    send(topics, "customers", COUNT, lambda n: (f"C{n}", {"id": f"C{n}"}))
    for partition in range(topics.partitions):  # moves the clocks on, past all windows
        topics.send("orders", "x", {"id": "x"}, at=60_000, partition=partition)
    topics.flush()
    command = words("join --left orders --right customers --to joined --on id --before 1s --after 1s --grace 0")
    with Worker(tmp_path, command=command, **topics.settings) as worker:
        (problem,) = wait_until(lambda: problems(worker), "the worker is not ready")
        (line,) = warnings(worker, "has found a partner")
    assert f"of {COUNT + 2} of {topics.prefix}orders and {COUNT} of {topics.prefix}customers" in problem
    assert "they differ by capital letters" in line
