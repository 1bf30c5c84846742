"""``streamapp join`` joins two topics without a line of code."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from apicurio import Apicurio
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from joined import balance
from topics import Topics
from worker import Worker, wait_until

from streamapp.formats import Avro, Format, MessagePack, Protobuf
from streamapp.formats.keys import KeyField, Keys


def words(line: str) -> list[str]:
    return line.split()


KEY = '{"type": "record", "name": "Key", "fields": [{"name": "customer_id", "type": "string"}]}'
JOIN = words("join --left orders --right customers --on customer_id --to joined")


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "command", partitions=3)
    topics.create("orders", "customers")
    for number in range(20):
        topics.send("customers", f"c{number}", {"customer_id": f"c{number}", "name": f"name {number}"})
    topics.flush()
    return topics


def joined(topics: Topics) -> dict[int, str | None]:
    values = [json.loads(message.value()) for message in topics.read("joined")]
    return {value["left"]["order"]: value["right"] and value["right"]["name"] for value in values}


def test_orders_are_joined_with_the_customers_that_they_are_keyed_by(topics: Topics, tmp_path: Path) -> None:
    for number in range(30):
        topics.send("orders", f"c{number}", {"order": number, "customer_id": f"c{number}"}, at=1)
    topics.send("orders", "c1", {"order": 31, "customer_id": "c2"}, at=1)
    topics.flush()
    command = [*JOIN, *words("--how left --unmatched rest --rejected refused")]
    with Worker(tmp_path, command=command, **topics.settings) as worker:
        wait_until(lambda: topics.end("joined") == 30, "the orders are joined")
        wait_until(lambda: topics.end("rest") == 10, "those without a customer are told")
        wait_until(lambda: topics.end("refused") == 1, "the one with another key is told")
        accounts = balance(worker, "orders-customers-join")
    assert +accounts == {"received": 31, "matched": 20, "unmatched": 10, "rejected": 1}
    assert topics.end("dead_letters") == 0
    assert joined(topics) == {number: f"name {number}" if number < 20 else None for number in range(30)}


def test_orders_that_are_keyed_otherwise_are_repartitioned_when_asked(topics: Topics, tmp_path: Path) -> None:
    for number in range(20):
        topics.send("orders", f"o{number}", {"order": number, "customer_id": f"c{number}"}, at=1)
    topics.flush()
    command = [*JOIN, *words("--repartition left")]
    with Worker(tmp_path, command=command, **topics.settings):
        wait_until(lambda: topics.end("joined") == 20, "the orders are joined")
    assert joined(topics) == {number: f"name {number}" for number in range(20)}


@pytest.mark.parametrize("options", ["", "--repartition left"])
def test_cloud_events_are_joined_by_their_data_and_give_results_that_are_none(
    topics: Topics, tmp_path: Path, options: str
) -> None:
    event = {"specversion": "1.0", "id": "e1", "data": {"order": 1, "customer_id": "c1"}}
    topics.send("orders", "c1", event, at=1, headers=[("content-type", b"application/cloudevents+json")])
    topics.send("orders", "c2", b'{"order": 2, "customer_id": "c2", "street": "Stra\xdfe"}', at=1)
    topics.flush()
    with Worker(tmp_path, command=[*JOIN, *words(options)], **topics.settings):
        wait_until(lambda: topics.end("joined") == 1, "the event is joined")
        wait_until(lambda: topics.end("dead_letters") == 1, "what is not UTF-8 is told")
    (result,) = topics.read("joined")
    assert json.loads(result.value()) == {"left": event, "right": {"customer_id": "c1", "name": "name 1"}}
    assert result.headers() == [("content-type", b"application/json")]
    (letter,) = topics.read("dead_letters")
    assert dict(letter.headers())["reason"] == b"not_json"


@pytest.mark.parametrize("kind", ["avro", "protobuf", "msgpack"])
def test_topics_whose_keys_are_in_a_format_are_joined_by_their_field(topics: Topics, tmp_path: Path, kind: str) -> None:
    (tmp_path / "key.avsc").write_text(KEY)
    (tmp_path / "key.proto").write_text('syntax = "proto3"; message Key { string customer_id = 1; }')
    formats: dict[str, Format] = {"avro": Avro(tmp_path / "key.avsc"), "protobuf": Protobuf(tmp_path / "key.proto")}
    keys = Keys(KeyField(formats.get(kind) or MessagePack(), "customer_id").bound("orders", key=True))
    schemas = {"avro": f"--key-schema {tmp_path}/key.avsc", "protobuf": f"--key-schema {tmp_path}/key.proto"}
    topics.create("shops", "sales")
    for number in range(5):
        topics.send("shops", keys.of(f"c{number}"), {"customer_id": f"c{number}", "name": f"name {number}"})
    topics.flush()
    for number in range(6):
        topics.send("sales", keys.of(f"c{number}"), {"order": number, "customer_id": f"c{number}"}, at=1)
    topics.send("sales", keys.of("c1"), {"order": 7, "customer_id": "c2"}, at=1)
    topics.flush()
    command = words("join --left sales --right shops --on customer_id --to joined --how left --unmatched rest")
    command += words(f"--key-format {kind} {schemas.get(kind, '')}")
    with Worker(tmp_path, command=command, **topics.settings) as worker:
        wait_until(lambda: topics.end("joined") == 6, "the sales are joined")
        wait_until(lambda: topics.end("dead_letters") == 1, "the one with another key is told")
        rows = [worker.get(f"/table/shops/c{number}/").json()["name"] for number in range(5)]
        held = worker.get("/api/tables/shops/rows/c3").json()
        see = worker.get(f"/joins/sales-shops-join/sales/?key=c5&time={topics.now + 1}").json()["see"]
        (answer,) = worker.get(see).json()
    assert joined(topics) == {number: f"name {number}" if number < 5 else None for number in range(6)}
    assert rows == [f"name {number}" for number in range(5)]
    assert (held["key"], held["value"]["name"]) == ("c3", "name 3")
    assert (answer["verdict"], answer["record"]["key"], answer["evidence"]["topic"]) == (
        "unmatched",
        "c5",
        topics.prefix + "rest",
    )
    places = {message.key(): message.partition() for message in topics.read("sales")}
    assert all(places[message.key()] == message.partition() for message in topics.read("joined"))


def test_two_streams_are_joined_within_a_window(topics: Topics, tmp_path: Path) -> None:
    topics.send("orders", "c1", {"order": 1, "customer_id": "c1"}, at=59_999)
    topics.send("orders", "c2", {"order": 2, "customer_id": "c2"}, at=60_001)
    topics.flush()
    command = [*JOIN, *words("--before 1m --after 0 --grace 1h")]
    with Worker(tmp_path, command=command, **topics.settings):
        wait_until(lambda: topics.end("joined") == 1, "an order is joined")
        wait_until(lambda: topics.committed("orders", group=f"{topics.id}-joined") == 2, "both are read")
    assert joined(topics) == {1: "name 1"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--how outer", "a stream-table join is inner or left, not outer"),
        ("--before 10m", "a join of two streams needs before, after and grace"),
        ("--before 1m --after 0 --grace 0 --ttl 1h", "--ttl and --history are for a table"),
        ("--ttl soon", "'soon' is no duration"),
        ("--to orders", "--to orders is what --left reads"),
        ("--on=", "--on '' is no name of a field"),
    ],
)
def test_a_join_that_cannot_be_is_refused_in_one_line(options: str, message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streamapp", *JOIN, *words(options)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_topics_written_by_different_partitioners_are_refused_in_one_line(topics: Topics, tmp_path: Path) -> None:
    for number in range(20):
        key = f"c{number}"
        topics.send("orders", key, {"customer_id": key}, partition=zlib.crc32(key.encode()) % topics.partitions)
    topics.flush()
    with Worker(tmp_path, command=JOIN, **topics.settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker ends")
        assert worker.exit_code != 0
        (line,) = worker.log.splitlines()
    said = line.replace(topics.prefix, "")
    assert "customers was written by murmur2 (Java, aiokafka), orders by CRC-32 (librdkafka)" in said


ORDER_SCHEMA = {
    "type": "record",
    "name": "Order",
    "fields": [{"name": "order", "type": "int"}, {"name": "customer_id", "type": "string"}],
}
CUSTOMER_SCHEMA = {"type": "record", "name": "Customer", "fields": [{"name": "customer_id", "type": "string"}]}


def test_topics_of_a_registry_are_joined_and_results_are_of_a_schema_that_is_registered(
    kafka, apicurio: Apicurio, tmp_path: Path
) -> None:
    topics = Topics(kafka.bootstrap, "command-registry", partitions=1)
    topics.create("orders", "customers")
    client = SchemaRegistryClient({"url": apicurio.url, "timeout": 10})

    def encoded(name: str, schema: object, value: dict[str, object]) -> bytes | None:
        context = SerializationContext(topics.prefix + name, MessageField.VALUE)
        return AvroSerializer(client, json.dumps(schema))(value, context)

    topics.send("customers", "c1", encoded("customers", CUSTOMER_SCHEMA, {"customer_id": "c1"}), at=0)
    topics.flush()
    topics.send("orders", "c1", encoded("orders", ORDER_SCHEMA, {"order": 1, "customer_id": "c1"}), at=1)
    topics.flush()
    fields = [{"name": "left", "type": ORDER_SCHEMA}, {"name": "right", "type": CUSTOMER_SCHEMA}]
    (tmp_path / "joined.avsc").write_text(json.dumps({"type": "record", "name": "Joined", "fields": fields}))
    command = [*JOIN, *words("--format avro --to-schema"), str(tmp_path / "joined.avsc")]
    with Worker(tmp_path, command=command, registry_url=apicurio.url, **topics.settings):
        wait_until(lambda: topics.end("joined") == 1, "the order is joined")
    (result,) = topics.read("joined")
    read = AvroDeserializer(client)(result.value(), SerializationContext(f"{topics.prefix}joined", MessageField.VALUE))
    assert read == {"left": {"order": 1, "customer_id": "c1"}, "right": {"customer_id": "c1"}}
    assert client.get_latest_version(f"{topics.prefix}joined-value").version == 1
