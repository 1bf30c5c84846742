"""`streamapp produce` in other formats than JSON, with a registry and without one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import msgspec
import pytest
from apicurio import Apicurio
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from produced import Topics, produce

from streamapp.formats import Avro, Protobuf
from streamapp.formats.named import FormatName, named
from streamapp.pipelines.clicks.settings import CLICKS, PROFILES
from streamapp.pipelines.demo_schemas import demo_schema
from streamapp.settings import Settings

SCHEMA = '{"type":"record","name":"Order","fields":[{"name":"id","type":"string"},{"name":"n","type":"int"}]}'
LINE = b'{"id":"o1","n":5}\n'


@pytest.fixture
def schema(tmp_path: Path) -> str:
    path = tmp_path / "order.avsc"
    path.write_text(SCHEMA)
    return str(path)


def test_lines_are_sent_as_messagepack(settings: Settings, topic: str, topics: Topics) -> None:
    done = produce(settings, topic, "--key", "id", "--format", "msgpack", given=LINE)
    (record,) = topics.records(topic)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (record.key(), msgspec.msgpack.decode(record.value() or b"")) == (b"o1", {"id": "o1", "n": 5})


def test_lines_are_sent_as_avro_of_a_schema_with_a_key_of_its_own(
    settings: Settings, topic: str, topics: Topics, schema: str
) -> None:
    done = produce(settings, topic, "--key", "n", "--schema", schema, "--key-format", "msgpack", given=LINE)
    (record,) = topics.records(topic)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (record.value(), record.key()) == (Avro(schema).from_json(LINE), msgspec.msgpack.encode("5"))


def test_a_schema_is_registered_before_the_first_line_is_sent(
    settings: Settings, topic: str, topics: Topics, schema: str, apicurio: Apicurio
) -> None:
    with_registry = dataclasses.replace(settings, registry_url=apicurio.url)
    done = produce(with_registry, topic, "--format", "avro", "--schema", schema, given=LINE)
    (record,) = topics.records(topic)
    assert (done.returncode, done.stderr) == (0, b"")
    client = SchemaRegistryClient({"url": apicurio.url, "timeout": 10})
    read = AvroDeserializer(client)(record.value(), SerializationContext(topic, MessageField.VALUE))
    assert read == {"id": "o1", "n": 5}


def test_a_line_for_which_the_schema_has_no_place_ends_it_with_its_number(
    settings: Settings, topic: str, topics: Topics, schema: str
) -> None:
    done = produce(settings, topic, "--schema", schema, given=LINE + b'{"id":"o2","n":"five"}\n')
    assert done.returncode == 1
    assert done.stderr.startswith(b"streamapp produce: <stdin>:2: Order: ")
    assert topics.size(topic) == 1


@pytest.mark.parametrize("kind", ["avro", "protobuf"])
def test_generated_clicks_and_profiles_are_of_the_demos_schemas(settings: Settings, topics: Topics, kind: str) -> None:
    arguments = ["--users", "3", "--clicks", "20", "--bad-share", "0", "--late-share", "0", "--format", kind]
    done = produce(settings, *arguments)
    assert (done.returncode, done.stderr) == (0, b"")
    for name, field in ((CLICKS, "click_id"), (PROFILES, "name")):
        file, _, message = demo_schema(kind, name).partition(".proto:")  # type: ignore[arg-type]
        format_ = Avro(file) if kind == "avro" else Protobuf(f"{file}.proto", message)
        records = [record for record in topics.records(settings.topic(name)) if record.value() is not None]
        assert all(field in json.loads(format_.to_json(record.value() or b"")) for record in records)


@pytest.mark.parametrize("kind", ["avro", "protobuf", "msgpack"])
@pytest.mark.parametrize(
    ("pipeline", "number", "fields"),
    [
        ("risk", "--transactions", {"accounts": "opened", "transactions": "amount"}),
        ("sensors", "--readings", {"readings": "value"}),
    ],
)
def test_generated_transactions_and_readings_are_of_the_demos_schemas(
    settings: Settings, topics: Topics, kind: str, pipeline: str, number: str, fields: dict[str, str]
) -> None:
    done = produce(settings, "--pipeline", pipeline, number, "50", "--bad-share", "0", "--format", kind)
    assert (done.returncode, done.stderr) == (0, b"")
    for name, field in fields.items():
        schema = demo_schema(FormatName(kind), name)
        format_ = named(FormatName(kind), schema).bound(name)
        values = [json.loads(format_.to_json(record.value() or b"")) for record in topics.records(settings.topic(name))]
        assert values
        assert all(value[field] is not None for value in values)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "avro"], b"--format avro needs --schema FILE, or a registry"),
        (["--format", "msgpack", "--raw"], b"--raw sends lines as they are, and goes without --format"),
    ],
)
def test_a_format_that_cannot_be_is_one_line(
    settings: Settings, topic: str, arguments: list[str], message: bytes
) -> None:
    done = produce(settings, topic, *arguments, given=LINE)
    assert done.returncode == 2
    assert message in done.stderr
