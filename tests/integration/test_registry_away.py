"""A worker whose topics are in a registry's wire format, while the registry is there and while it is not."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from apicurio import PATH, Apicurio, Door
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from ports import free_port
from registry_app import ORDER
from topics import Topics
from worker import Worker, wait_until


class Shop:
    """A worker, its topics, and the door to the registry, which only the worker goes through."""

    def __init__(self, topics: Topics, worker: Worker, apicurio: Apicurio, port: int) -> None:
        self.topics, self.worker, self.apicurio, self.port = topics, worker, apicurio, port
        self.client = SchemaRegistryClient({"url": apicurio.url, "timeout": 10})

    def door(self) -> Door:
        return Door(self.apicurio, port=self.port)

    def of(self, name: str) -> SerializationContext:
        return SerializationContext(self.topics.prefix + name, MessageField.VALUE)

    def encoded(self, name: str, value: dict[str, Any], *fields: dict[str, Any]) -> bytes:
        """Write a value as Confluent's serializer does, by a schema with further fields."""
        named = {**ORDER, "name": name.title().removesuffix("s")}
        schema = {**named, "fields": [{"name": "id", "type": "string"}, *fields]}
        data = AvroSerializer(self.client, json.dumps(schema))(value, self.of(name))
        assert data is not None
        return data

    def order(self, key: str, value: bytes) -> None:
        self.topics.send("orders", key, value)
        self.topics.flush()

    def results(self, name: str, count: int) -> list[Any]:
        wait_until(lambda: self.topics.end(name) >= count, f"{name} has {count}")
        return list(self.topics.read(name))


NAME = {"name": "name", "type": "string"}
AMOUNT = {"name": "amount", "type": "double"}
NOTE = {"name": "note", "type": "string"}


@pytest.fixture(scope="module")
def shop(kafka, apicurio: Apicurio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    topics = Topics(kafka.bootstrap, "registry", partitions=1)
    topics.create("orders", "customers", "prices")
    port = free_port()
    url = f"http://127.0.0.1:{port}{PATH}"
    settings = {**topics.settings, "registry_url": url}
    with Worker(tmp_path_factory.mktemp("registry"), app="registry_app", **settings) as worker:
        yield Shop(topics, worker, apicurio, port)


@pytest.fixture(scope="module")
def started(shop: Shop) -> Shop:
    """The shop once the worker has found the registry, which was away at its start; afterwards the door is shut."""
    wait_until(lambda: "streamapp: waiting: the schema registry at" in shop.worker.log, "it waits for the registry")
    with shop.door():
        shop.worker.wait_ready()
        shop.topics.send("customers", "ann", shop.encoded("customers", {"id": "ann", "name": "Ann"}, NAME))
        shop.topics.flush()
        shop.order("ann", shop.encoded("orders", {"id": "o1", "amount": 12.5}, AMOUNT))
        shop.results("named", 1)
        shop.results("large", 1)
        shop.results("priced", 1)
    return shop


def test_what_another_schema_wrote_is_joined_as_the_declared_one(started: Shop) -> None:
    joined = json.loads(started.results("named", 1)[0].value())
    assert joined == {"left": {"id": "o1", "amount": 12.5}, "right": {"id": "ann", "name": "Ann"}}


def test_results_are_of_the_schema_that_was_registered_at_the_start(started: Shop) -> None:
    (result,) = started.results("large", 1)
    assert AvroDeserializer(started.client)(result.value(), started.of("large")) == {"id": "o1", "amount": 12.5}
    assert started.client.get_latest_version(f"{started.topics.prefix}large-value").version == 1


def test_a_batch_of_an_unknown_schema_waits_for_a_registry_that_is_away(started: Shop) -> None:
    value = {"id": "o2", "amount": 20.0, "note": "x"}
    started.order("ann", started.encoded("orders", value, AMOUNT, NOTE))
    wait_until(started.worker.problems, "the worker tells of the registry")
    (problem,) = started.worker.problems()
    assert problem.startswith("records of schema ")
    assert f"wait: the schema registry at http://127.0.0.1:{started.port}" in problem
    with started.door():
        joined = started.results("named", 2)[-1]
    assert json.loads(joined.value())["left"] == {"id": "o2", "amount": 20}
    wait_until(lambda: not started.worker.problems(), "nothing is wrong any more")
    assert started.topics.end("dead_letters") == 0


def test_a_global_table_waits_for_a_schema_too_and_goes_on(started: Shop) -> None:
    value = started.encoded("prices", {"id": "o3", "amount": 7.5}, AMOUNT)
    started.topics.send("prices", "o3", value)
    started.topics.flush()
    wait_until(started.worker.problems, "the worker tells of the registry")
    with started.door():
        wait_until(lambda: not started.worker.problems(), "nothing is wrong any more")
        started.order("ann", started.encoded("orders", {"id": "o3", "amount": 1.0}, AMOUNT))
        priced = started.results("priced", 3)[-1]
    assert json.loads(priced.value())["right"] == {"id": "o3", "amount": 7.5}


def test_a_schema_that_the_registry_does_not_have_goes_to_the_dead_letters(started: Shop) -> None:
    with started.door():
        started.order("ann", (1_999_999_999).to_bytes(5) + b"rest")
        letters = started.results("dead_letters", 3)  # of the joins, and of the function
    headers = dict(letters[0].headers())
    assert headers["reason"] == b"unknown_schema"
    assert headers["error"].startswith(b"schema 1999999999: the schema registry at")


UNKNOWN = (404, b'{"error_code":40403,"message":"Schema not found"}')


def test_a_batch_waits_for_a_schema_that_the_registrys_replica_gets_to_know_a_moment_later(started: Shop) -> None:
    value = {"id": "o4", "amount": 1.0, "tip": 2.0}
    data = started.encoded("orders", value, AMOUNT, {"name": "tip", "type": "double"})
    path, letters = f"/schemas/ids/{int.from_bytes(data[1:5])}", started.topics.end("dead_letters")
    with started.door() as door:
        door.instead = lambda asked: UNKNOWN if path in asked and len(door.asked) <= 2 else None
        before = started.topics.end("named")
        started.order("ann", data)
        joined = started.results("named", before + 1)[-1]
    assert json.loads(joined.value())["left"] == {"id": "o4", "amount": 1.0}
    assert sum(path in asked for asked in door.asked) >= 2
    assert started.topics.end("dead_letters") == letters


def test_the_log_tells_of_a_registry_that_is_away_and_not_of_each_request(started: Shop) -> None:
    before = started.topics.end("named")
    value = {"id": "o5", "amount": 1.0, "fee": 2.0}
    data = started.encoded("orders", value, AMOUNT, {"name": "fee", "type": "double"})
    started.order("ann", data)
    told = f"records of schema {int.from_bytes(data[1:5])} wait: the schema registry at"
    wait_until(lambda: told in started.worker.log, "it is told")
    with started.door() as door:
        started.results("named", before + 1)
    assert door.asked
    assert "HTTP Request" not in started.worker.log


def test_ids_that_no_schema_can_have_go_to_the_dead_letters_and_the_partition_goes_on(started: Shop) -> None:
    letters, before = started.topics.end("dead_letters"), started.topics.end("named")
    header = ("__value_schema_id", b"\1" + bytes(15) + b"\7")
    with started.door():
        for value in (2**31, 2**32 - 1, 0):
            started.topics.send("orders", "ann", value.to_bytes(5) + b"rest")
        started.topics.send("orders", "ann", b"rest", headers=[header])
        started.order("ann", started.encoded("orders", {"id": "o5", "amount": 1.0}, AMOUNT))
        started.results("named", before + 1)
        found = started.results("dead_letters", letters + 12)[letters:]  # of two joins and a function
    errors = {dict(letter.headers())["error"].decode() for letter in found}
    assert {error.split(", where")[0] for error in errors if "where" in error} == {
        f"it has the schema id {id_}" for id_ in (2**31, 2**32 - 1, 0)
    }
    assert [error.split(":")[0] for error in errors if "where" not in error] == [f"schema {uuid.UUID(int=7)}"]


def test_of_ever_new_ids_that_are_none_few_are_asked_for_and_all_are_dead_letters(started: Shop) -> None:
    count, first = 3_000, 1_500_000_000
    letters, before = started.topics.end("dead_letters"), started.topics.end("named")
    with started.door() as door:
        for number in range(count):
            started.topics.send("orders", "ann", (first + number).to_bytes(5) + b"rest")
        started.order("ann", started.encoded("orders", {"id": "o6", "amount": 1.0}, AMOUNT))
        joined = started.results("named", before + 1)[-1]
        found = started.results("dead_letters", letters + 3 * count)[letters:]  # of two joins and a function
    assert json.loads(joined.value())["left"] == {"id": "o6", "amount": 1.0}
    assert {dict(letter.headers())["reason"] for letter in found} == {b"unknown_schema"}
    # Those of half a minute are few; on a slow machine it may last several.
    assert len({path for path in door.asked if "/schemas/ids/15" in path}) < count / 3
    errors = [dict(letter.headers())["error"].decode().split(": ", 1)[1] for letter in found]
    assert (
        "it is not asked for, since 100 others that records have named within 30 s are none that can be read" in errors
    )
