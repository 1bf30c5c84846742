"""With exactly_once a worker that is killed while a batch waits for a schema loses no record, and joins none twice."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from apicurio import PATH, Apicurio, Door
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from joined import balance
from ports import free_port
from registry_app import ORDER
from topics import Topics
from worker import Worker, wait_until

#: Of each kind so many.
COUNT = 40
#: Of an id that no schema has.
GARBAGE = (1_999_999_998).to_bytes(5) + b"rest"


def field(name: str, type_: str) -> dict[str, Any]:
    return {"name": name, "type": type_, "default": 0 if type_ == "double" else ""}


class Shop:
    """Orders and payments, each written by a schema of its own."""

    def __init__(self, topics: Topics, apicurio: Apicurio) -> None:
        self.topics = topics
        self.client = SchemaRegistryClient({"url": apicurio.url, "timeout": 10})
        self.sent: Counter[str] = Counter()

    def send(self, name: str, number: int, *, at: int, note: str = "") -> None:
        """Send one; with a note it is of another schema."""
        fields = [field("id", "string"), field("amount", "double"), *([field("note", "string")] if note else [])]
        schema = json.dumps({**ORDER, "name": "Order", "fields": fields})
        value = {"id": f"o{number}", "amount": number, **({"note": note} if note else {})}
        context = SerializationContext(self.topics.prefix + name, MessageField.VALUE)
        data = AvroSerializer(self.client, schema)(value, context)
        self.raw(name, number, data or b"", at=at)

    def raw(self, name: str, number: int, value: bytes, *, at: int) -> None:
        self.topics.send(name, f"k{number}", value, at=at)
        self.sent[name] += 1

    def pairs(self, start: int, *, at: int, note: str = "") -> None:
        """Send orders, half of which are paid, and some garbage."""
        for number in range(start, start + COUNT):
            self.send("orders", number, at=at + number, note=note)
            if number % 2:
                self.send("payments", number, at=at + number + 1, note=note)
        self.raw("orders", start, GARBAGE, at=at + start)
        self.topics.flush()

    def orders(self, name: str) -> Counter[str]:
        """Count the orders in what is written of them."""
        values = [json.loads(message.value()) for message in self.topics.read(name)]
        return Counter((value.get("left") or value.get("value") or value)["id"] for value in values)


@pytest.fixture
def shop(kafka, apicurio: Apicurio) -> Shop:
    topics = Topics(kafka.bootstrap, "registry-killed", partitions=2)
    topics.create("orders", "payments")
    return Shop(topics, apicurio)


def test_each_record_is_accounted_for_once_after_a_kill_amid_the_wait(
    shop: Shop, apicurio: Apicurio, tmp_path: Path
) -> None:
    topics, port, web_port = shop.topics, free_port(), free_port()
    settings = {**topics.settings, "registry_url": f"http://127.0.0.1:{port}{PATH}", "web_port": web_port}

    def worker() -> Worker:
        return Worker(tmp_path, app="registered_pairs_app", processing_guarantee="exactly_once", **settings)

    shop.pairs(0, at=0)
    with worker() as dies:
        with Door(apicurio, port=port):
            dies.wait_ready()
            wait_until(lambda: topics.end("paid") > 0, "there are results")
        shop.pairs(COUNT, at=0, note="of a schema that is not known yet")
        wait_until(dies.problems, "a batch waits for its schema")
        dies.kill()
    shop.pairs(2 * COUNT, at=0, note="of a schema that is not known yet")
    shop.send("orders", 3 * COUNT, at=20_000)  # the clocks go on past all windows, in one partition
    shop.topics.flush()
    with Door(apicurio, port=port), worker() as survives:
        survives.wait_ready()
        for name in ("orders", "payments"):
            wait_until(lambda name=name: topics.committed(name) == topics.end(name), f"{name} is read to its end")
        accounts = balance(survives, "paid")
        assert survives.terminate() == 0
    assert accounts["received"] == sum(shop.sent.values())
    assert accounts["received"] == sum(accounts[name] for name in accounts if name != "received")
    assert accounts["rejected"] == 3
    assert len(topics.read("refused")) == 3
    paid, unpaid = shop.orders("paid"), len(topics.read("unpaid"))
    assert set(paid.values()) == {1}  # a paid order once with its payment, another one at most once without
    assert {f"o{number}" for number in range(1, 3 * COUNT, 2)} <= paid.keys()
    assert accounts["unmatched"] == unpaid
