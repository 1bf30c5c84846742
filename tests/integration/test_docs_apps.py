"""Each app in README.md and docs/ can be saved as a file and run: here it is, and gives what it is to give."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fastavro
import msgspec
import pytest
from apicurio import Apicurio
from topics import Topics
from worker import Worker, wait_until

from streamapp.formats.registry import Registry, Schema, SchemaType
from streamapp.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
Seen = Callable[[Topics, Worker], bool]
Sent = tuple[str, str, Any, int]

VIEW, PURCHASE, CUSTOMER = {"url": "/"}, {"amount": 1}, {"name": "Ann"}
ORDER, PAYMENT = {"order": "o1"}, {"amount": 5}
LARGE = {"amount": 150}
#: What the apps' declarations name, beside them.
FILES = {
    "order.avsc": '{"type": "record", "name": "Order", "fields": [{"name": "amount", "type": "int"}]}',
    "customer.proto": 'syntax = "proto3"; message Customer { string name = 1; }',
}


def values(topics: Topics, topic: str) -> list[Any]:
    return [json.loads(message.value()) for message in topics.read(topic)]


def sends(**expected: Any) -> Seen:
    """Return what tells that each topic has one result."""
    return lambda topics, _worker: all(values(topics, topic) == [value] for topic, value in expected.items())


def sends_all(topic: str, *expected: Any) -> Seen:
    """Return what tells that a topic has these results."""
    return lambda topics, _worker: values(topics, topic) == list(expected)


def answers(path: str, expected: Any) -> Seen:
    def seen(_topics: Topics, worker: Worker) -> bool:
        answer = worker.answers(path)
        return answer is not None and answer.json() == expected

    return seen


def avro(value: Any) -> bytes:
    """Return an order as the schema beside the app has it."""
    data = io.BytesIO()
    fastavro.schemaless_writer(data, fastavro.parse_schema(json.loads(FILES["order.avsc"])), value)
    return data.getvalue()


def framed(apicurio: Apicurio) -> Sequence[Sent]:
    """Return an order and its customer, of a schema that the registry has."""
    schema = Schema(SchemaType.AVRO, FILES["order.avsc"])
    id_ = Registry(Settings(registry_url=apicurio.url)).register("docs-apps", schema).id
    value = b"\0" + id_.to_bytes(4) + avro(LARGE)
    return [("customers", "ann", value, -1_000), ("orders", "ann", value, 0)]


def sends_in_formats(topics: Topics, _worker: Worker) -> bool:
    """Tell whether the order is joined, in MessagePack."""
    joined = [msgspec.msgpack.decode(message.value()) for message in topics.read("named_orders")]
    return joined == [{"left": LARGE, "right": CUSTOMER}]


def sends_framed(topics: Topics, _worker: Worker) -> bool:
    """Tell whether the order is joined, in JSON, and is large, by a schema of the registry."""
    large = [message.value() for message in topics.read("large")]
    joined = values(topics, "named_orders") == [{"left": LARGE, "right": LARGE}]
    return joined and [(value[:1], value[5:]) for value in large] == [(b"\0", avro(LARGE))]


#: What is sent to each app, by the page and the app's name, and what tells that it works.
APPS: dict[tuple[str, str], tuple[Sequence[Sent] | Callable[[Apicurio], Sequence[Sent]], Seen]] = {
    ("README.md", "shop"): (
        [
            ("customers", "ann", CUSTOMER, -1_000),
            ("orders", "ann", ORDER, 0),
            ("payments", "ann", PAYMENT, 1),
        ],
        sends(paid={"left": ORDER, "right": PAYMENT}, named_orders={"left": ORDER, "right": CUSTOMER}),
    ),
    ("README.md", "counts"): (
        [("clicks", "ann", {}, 0), ("clicks", "ann", {}, 1)],
        answers("/table/counts/ann/", 2),
    ),
    ("enrich.md", "fraud"): (
        [
            ("transactions", "x", {"account": "a1", "ip": "10.0.0.1", "amount": 5}, 0),
            ("transactions", "x", {"account": "a1", "ip": "10.0.0.2", "amount": 7}, 1),
        ],
        sends_all(
            "enriched",
            {"account": "a1", "ip": "10.0.0.1", "amount": 5, "ip_count": 1, "spent": 5},
            {"account": "a1", "ip": "10.0.0.2", "amount": 7, "ip_count": 1, "spent": 12},
        ),
    ),
    ("formats.md", "shop"): (
        [("customers", "ann", b"\n\x03Ann", -1_000), ("orders", "ann", avro(LARGE), 0)],
        sends_in_formats,
    ),
    ("registry.md", "shop"): (framed, sends_framed),
    ("joins.md", "shop"): (
        [
            ("customers", "ann", CUSTOMER, -1_000),
            ("views", "ann", VIEW, -500),
            ("purchases", "ann", PURCHASE, 0),
        ],
        sends(bought={"left": PURCHASE, "right": VIEW}, named=PURCHASE),
    ),
    ("joins.md", "rewards"): (
        [
            ("seen", "ann", {"user_id": "ann", "url": "/tea"}, 0),
            ("paid", "ann", {"user_id": "ann", "amount": 7}, 1),
        ],
        lambda _topics, worker: "ann has paid 7 after /tea" in worker.log,
    ),
    ("functions.md", "totals"): (
        [
            ("users", "ann", {"name": "Ann"}, -1_000),
            ("orders", "o1", {"user": "ann", "cents": 5}, 0),
            ("orders", "o2", {"user": "ann", "cents": 0}, 1),
        ],
        sends(totals_of_users={"total": {"orders": 1, "cents": 5}, "user": {"name": "Ann"}}),
    ),
    ("windows.md", "shop"): (
        [("transactions", "t", {"ip": "10.0.0.1", "amount": 5}, at) for at in (-600_000, 0)],
        lambda topics, _worker: [value["total"] for value in values(topics, "ip_minutes")] == [5],
    ),
    ("joins.md", "page_views"): (
        [("views", "x", {"id": "p1", "user": "ann"}, 0), ("views", "y", {"id": "p1", "user": "bob"}, 0)],
        answers("/table/page_views/p1/", 2),
    ),
}


def blocks() -> dict[tuple[str, str], str]:
    """Return the apps of all pages, by the page and the app's name."""
    found = {}
    for page in PAGES:
        for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
            if (name := re.search(r"^app = App\(\"(\w+)\"", block, re.MULTILINE)) is not None:
                found[page.name, name[1]] = block
            else:
                assert "App(" not in block, f"{page.name} has an app without a name:\n{block}"
    return found


def test_all_apps_of_the_pages_are_run() -> None:
    assert blocks().keys() == APPS.keys()


@pytest.mark.parametrize(("page", "name"), APPS)
def test_an_app_of_a_page_runs_as_a_file(
    kafka, request: pytest.FixtureRequest, tmp_path: Path, page: str, name: str
) -> None:
    sent, seen = APPS[page, name]
    environment = {"PYTHONPATH": str(tmp_path)}
    if callable(sent):
        apicurio = request.getfixturevalue("apicurio")
        environment["STREAMAPP_REGISTRY_URL"], sent = apicurio.url, sent(apicurio)
    for file, text in FILES.items():
        (tmp_path / file).write_text(text)
    (tmp_path / f"{name}.py").write_text(blocks()[page, name])
    topics = Topics(kafka.bootstrap, f"docs-{name}", partitions=2)
    topics.create(*dict.fromkeys(topic for topic, *_ in sent))
    with Worker(tmp_path, app=name, environment=environment, **topics.settings) as worker:
        worker.wait_ready()
        for topic, key, value, at in sent:
            topics.send(topic, key, value, at=at)
        topics.flush()
        wait_until(lambda: seen(topics, worker), f"{name} of {page} gives what it is to give")
