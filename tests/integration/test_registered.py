"""Values and keys in a registry's wire format: as Confluent's own serializers write and read them."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from apicurio import Apicurio
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from streamapp.errors import StreamappError
from streamapp.formats.avro import Avro
from streamapp.formats.protobuf import Protobuf
from streamapp.formats.registered import Registered, RegisteredData, UnfetchedError
from streamapp.formats.registry import Registry, Schema, SchemaType
from streamapp.formats.serde import Serde
from streamapp.formats.undecodable import Reason, Undecodable
from streamapp.formats.wire_format import KEY_HEADER, VALUE_HEADER, frame, read_frame
from streamapp.joins import Event
from streamapp.settings import RegistryIds, Settings, Subjects

numbers = itertools.count(int(time.time()))

PROTO = """\
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
message Cart { message Item { string sku = 1; } repeated Item items = 1; }
message Order { string id = 1; int64 cents = 2; google.protobuf.Timestamp at = 3; }
"""
ORDER = {"id": "o1", "cents": 120, "at": "2026-01-31T12:00:00Z"}


def schema(*fields: dict[str, Any], name: str = "shop.Order") -> str:
    return json.dumps({"type": "record", "name": name, "fields": [{"name": "id", "type": "string"}, *fields]})


SUM = {"name": "sum", "type": "long", "default": 0}


@pytest.fixture
def topic() -> str:
    return f"orders{next(numbers)}"


@pytest.fixture
def client(apicurio: Apicurio) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": apicurio.url, "timeout": 10})


def of_topic(
    apicurio: Apicurio, topic: str, format_: Avro | Protobuf | None = None, *, key: bool = False, blocks: bool = True
) -> RegisteredData:
    found = Registered(format_).bound(topic, key=key)
    found.connect(Registry(Settings(registry_url=apicurio.url)), blocks=blocks)
    return found


def value_of(topic: str, headers: Any = None) -> SerializationContext:
    return SerializationContext(topic, MessageField.VALUE, headers)


def test_avro_that_confluents_serializer_wrote_is_read_by_its_own_schema(
    apicurio: Apicurio, topic: str, client: SchemaRegistryClient
) -> None:
    data = AvroSerializer(client, schema(SUM))({"id": "o1", "sum": 5}, value_of(topic))
    here = of_topic(apicurio, topic)
    assert json.loads(here.to_json(data)) == {"id": "o1", "sum": 5}
    told = here.told(data)
    assert told is not None
    assert told.format == f"avro, schema {read_frame(data).schema}"


def test_avro_of_an_older_and_of_a_newer_schema_is_read_as_the_declared_one(
    apicurio: Apicurio, topic: str, client: SchemaRegistryClient
) -> None:
    more = {"name": "note", "type": ["null", "string"], "default": None}
    older = AvroSerializer(client, schema())({"id": "o1"}, value_of(topic))
    newer = AvroSerializer(client, schema(SUM, more))({"id": "o2", "sum": 7, "note": "x"}, value_of(topic))
    here = of_topic(apicurio, topic, Avro(schema(SUM)))
    assert [json.loads(here.to_json(one)) for one in (older, newer)] == [{"id": "o1", "sum": 0}, {"id": "o2", "sum": 7}]


def test_avro_that_is_written_here_is_read_by_confluents_deserializer(
    apicurio: Apicurio, topic: str, client: SchemaRegistryClient
) -> None:
    here = of_topic(apicurio, topic, Avro(schema(SUM)))
    id_ = here.register(Settings())
    data = here.from_json(b'{"id":"o1","sum":5}')
    assert here.headers == ()
    assert AvroDeserializer(client)(data, value_of(topic)) == {"id": "o1", "sum": 5}
    assert client.get_latest_version(f"{topic}-value").schema_id == id_


def test_a_schema_is_registered_as_it_is_without_what_its_parser_adds(
    apicurio: Apicurio, topic: str, client: SchemaRegistryClient
) -> None:
    of_topic(apicurio, topic, Avro(schema(SUM))).register(Settings())
    text = client.get_latest_version(f"{topic}-value").schema.schema_str
    assert "__" not in (text or "")
    assert Avro(text or "").parsed == Avro(schema(SUM)).parsed


def test_the_declared_schema_is_registered_once_however_often_it_starts(apicurio: Apicurio, topic: str) -> None:
    ids = {of_topic(apicurio, topic, Avro(schema(SUM))).register(Settings()) for _ in range(3)}
    assert len(ids) == 1


@pytest.mark.parametrize("message", ["Order", "Cart"])
def test_protobuf_of_confluents_serializer_is_read_by_the_schema_that_is_registered(
    apicurio: Apicurio, topic: str, client: SchemaRegistryClient, tmp_path: Path, message: str
) -> None:
    given = {"Order": ORDER, "Cart": {"items": [{"sku": "a"}]}}[message]
    format_ = protobuf(tmp_path, message)
    written = format_.parse(format_.from_json(json.dumps(given).encode()))
    serializer = ProtobufSerializer(format_.generated, client, {"use.deprecated.format": False})
    data = serializer(written, value_of(topic))
    assert json.loads(of_topic(apicurio, topic).to_json(data)) == given


def protobuf(directory: Path, message: str = "Order", text: str = PROTO) -> Protobuf:
    path = directory / "shop.proto"
    path.write_text(text)
    return Protobuf(path, message)


def test_protobuf_that_is_written_here_is_read_by_confluents_deserializer(
    apicurio: Apicurio, topic: str, client: SchemaRegistryClient, tmp_path: Path
) -> None:
    here = of_topic(apicurio, topic, protobuf(tmp_path))
    here.register(Settings())
    data = here.from_json(json.dumps(ORDER).encode())
    read = ProtobufDeserializer(protobuf(tmp_path).generated, {"use.deprecated.format": False})
    found = read(data, value_of(topic))
    assert (found.id, found.cents, found.at.seconds) == ("o1", 120, 1769860800)
    assert json.loads(of_topic(apicurio, topic).to_json(data)) == ORDER


def test_a_field_that_a_newer_message_has_is_left_out_where_an_older_one_is_declared(
    apicurio: Apicurio, topic: str, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    newer = of_topic(apicurio, topic, protobuf(tmp_path / "new", text=PROTO.replace("at = 3;", "at = 3; int32 n = 4;")))
    newer.register(Settings())
    data = newer.from_json(json.dumps({**ORDER, "n": 3}).encode())
    assert json.loads(of_topic(apicurio, topic, protobuf(tmp_path)).to_json(data)) == ORDER


def test_another_message_of_the_same_file_is_told_from_the_declared_one(
    apicurio: Apicurio, topic: str, tmp_path: Path
) -> None:
    cart = of_topic(apicurio, topic, protobuf(tmp_path, "Cart"))
    cart.register(Settings())
    data = cart.from_json(b'{"items":[]}')
    with pytest.raises(Undecodable, match=r"^schema \d+: it is a message shop.Cart, where shop.Order is declared$"):
        of_topic(apicurio, topic, protobuf(tmp_path)).to_json(data)


def test_json_with_a_schema_is_json(apicurio: Apicurio, topic: str, client: SchemaRegistryClient) -> None:
    text = json.dumps({"title": "Order", "type": "object", "properties": {"id": {"type": "string"}}})
    data = JSONSerializer(text, client)({"id": "o1"}, value_of(topic))
    assert json.loads(of_topic(apicurio, topic).to_json(data)) == {"id": "o1"}


def test_an_id_in_the_headers_is_found(apicurio: Apicurio, topic: str, client: SchemaRegistryClient) -> None:
    data = AvroSerializer(client, schema())({"id": "o1"}, value_of(topic))
    headers = [(VALUE_HEADER, frame(read_frame(data).schema))]
    assert json.loads(of_topic(apicurio, topic).to_json(data[5:], headers)) == {"id": "o1"}


def test_a_schema_that_is_not_here_yet_is_fetched_by_whoever_gets_the_error(
    apicurio: Apicurio, topic: str, client: SchemaRegistryClient
) -> None:
    data = AvroSerializer(client, schema())({"id": "o1"}, value_of(topic))
    here = of_topic(apicurio, topic, blocks=False)
    with pytest.raises(UnfetchedError) as error:
        here.to_json(data)
    assert error.value.fetch()
    assert json.loads(here.to_json(data)) == {"id": "o1"}


def test_what_further_records_need_is_fetched_along_with_what_one_does(
    apicurio: Apicurio, topic: str, client: SchemaRegistryClient
) -> None:
    first, second = (AvroSerializer(client, one)({"id": "o1"}, value_of(topic)) for one in (schema(), schema(SUM)))
    here = of_topic(apicurio, topic, blocks=False)
    records = [Event(b"k", data, 0) for data in (first, second, first, b"{}", None)]
    with pytest.raises(UnfetchedError) as error:
        here.to_json(first)
    needed = error.value.with_those_of(records)
    assert [one.schema for one in needed] == [read_frame(first).schema, read_frame(second).schema]
    assert all(one.fetch() for one in needed)
    assert json.loads(here.to_json(second)) == {"id": "o1", "sum": 0}


def test_a_schema_that_the_registry_does_not_have_makes_the_record_unusable(apicurio: Apicurio, topic: str) -> None:
    with pytest.raises(Undecodable, match=r"^schema 2000000000: the schema registry at .* does not have it$") as error:
        of_topic(apicurio, topic).to_json((2_000_000_000).to_bytes(5) + b"x")
    assert error.value.reason is Reason.UNKNOWN_SCHEMA


@pytest.mark.parametrize("format_", [None, Avro(schema())])
def test_an_id_that_none_can_have_makes_the_record_unusable(
    apicurio: Apicurio, topic: str, format_: Avro | None
) -> None:
    here = of_topic(apicurio, topic, format_, blocks=False)
    for id_ in (0, 2**31, 2**32 - 1):
        with pytest.raises(Undecodable, match=f"^it has the schema id {id_}, where ids are from 1 to 2147483647$"):
            here.to_json(id_.to_bytes(5) + b"x")


def test_a_uuid_in_the_headers_that_the_registry_does_not_have_makes_the_record_unusable(
    apicurio: Apicurio, topic: str
) -> None:
    id_ = uuid.UUID(int=7)
    with pytest.raises(Undecodable, match=rf"^schema {id_}: the schema registry at .* does not have it$"):
        of_topic(apicurio, topic).to_json(b"x", [(VALUE_HEADER, frame(id_))])


def test_data_that_are_not_of_their_schema_are_told_with_its_id(
    apicurio: Apicurio, topic: str, client: SchemaRegistryClient
) -> None:
    data = AvroSerializer(client, schema(SUM))({"id": "o1", "sum": 1}, value_of(topic))
    with pytest.raises(Undecodable, match=rf"^schema {read_frame(data).schema}: it is no Avro of"):
        of_topic(apicurio, topic).to_json(data[:6])


def test_data_without_an_id_are_not_asked_for(apicurio: Apicurio, topic: str) -> None:
    with pytest.raises(Undecodable, match="it has no id of a schema before it: it begins with 7b") as error:
        of_topic(apicurio, topic, Avro(schema())).to_json(b'{"id":"o1"}')
    assert error.value.reason is Reason.NOT_AVRO


def test_avro_is_not_read_where_protobuf_is_declared(
    apicurio: Apicurio, topic: str, client: SchemaRegistryClient, tmp_path: Path
) -> None:
    data = AvroSerializer(client, schema())({"id": "o1"}, value_of(topic))
    with pytest.raises(Undecodable, match="it is of AVRO, where protobuf is declared"):
        of_topic(apicurio, topic, protobuf(tmp_path)).to_json(data)


@pytest.mark.parametrize(
    ("subjects", "subject"),
    [("topic", "{topic}-value"), ("record", "shop.Order{topic}"), ("topic_record", "{topic}-shop.Order{topic}")],
)
def test_subjects_are_named_by_topic_or_record(
    apicurio: Apicurio, topic: str, client: SchemaRegistryClient, subjects: Any, subject: str
) -> None:
    here = of_topic(apicurio, topic, Avro(schema(name=f"shop.Order{topic}")))
    id_ = here.register(Settings(registry_subjects=Subjects(subjects)))
    assert client.get_latest_version(subject.format(topic=topic)).schema_id == id_


def test_a_key_has_a_subject_of_its_own(apicurio: Apicurio, topic: str, client: SchemaRegistryClient) -> None:
    here = of_topic(apicurio, topic, Avro('"string"'), key=True)
    assert here.register(Settings()) == client.get_latest_version(f"{topic}-key").schema_id
    assert here.to_json(here.from_json(b'"u1"')) == b'"u1"'


@pytest.mark.parametrize("subjects", ["record", "topic_record"])
def test_a_subject_by_record_needs_one(apicurio: Apicurio, topic: str, subjects: Any) -> None:
    with pytest.raises(StreamappError, match=f"^{topic}: STREAMAPP_REGISTRY_SUBJECTS={subjects} needs a schema"):
        of_topic(apicurio, topic, Avro('"string"')).register(Settings(registry_subjects=Subjects(subjects)))


def test_a_schema_with_imports_is_read(apicurio: Apicurio, topic: str, client: SchemaRegistryClient) -> None:
    money = 'syntax = "proto3";\npackage shop;\nmessage Money { int64 cents = 1; }\n'
    paid = 'syntax = "proto3";\npackage shop;\nimport "shop/money.proto";\nmessage Paid { Money sum = 1; }\n'
    Registry(Settings(registry_url=apicurio.url)).register(f"money-{topic}", Schema(SchemaType.PROTOBUF, money))
    body = {
        "schemaType": "PROTOBUF",
        "schema": paid,
        "references": [{"name": "shop/money.proto", "subject": f"money-{topic}", "version": 1}],
    }
    path = f"/apis/ccompat/v7/subjects/{topic}-value/versions"
    status, answer, _ = apicurio.ask("POST", path, json.dumps(body).encode())
    assert status == 200, answer
    data = json.loads(answer)["id"].to_bytes(5) + b"\0" + b"\x0a\x02\x08\x78"
    assert json.loads(of_topic(apicurio, topic).to_json(data)) == {"sum": {"cents": 120}}


IMPORTING = """\
syntax = "proto3";
package shop;
import "{name}/money.proto";
// für Käufe: letters that are no ASCII
message Paid {{ Money sum = 1; }}
"""
MONEY = """\
syntax = "proto3";
package shop;
import "{name}/coin.proto";
message Money {{ Coin coin = 1; }}
"""
COIN = 'syntax = "proto3";\npackage shop;\nmessage Coin { int64 cents = 1; }\n'


def importing(directory: Path, name: str) -> Protobuf:
    """Write a message whose file imports one which imports another, of names that no other test has."""
    for path, text in (
        ("paid.proto", IMPORTING.format(name=name)),
        (f"{name}/money.proto", MONEY.format(name=name)),
        (f"shared/{name}/coin.proto", COIN),
    ):
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text, "utf-8")
    return Protobuf(directory / "paid.proto", include=(str(directory / "shared"),))


@pytest.mark.parametrize("given", ["a file", "a class"])
def test_a_message_is_registered_with_the_files_that_its_own_imports(
    apicurio: Apicurio, topic: str, client: SchemaRegistryClient, tmp_path: Path, given: str
) -> None:
    of_file = importing(tmp_path, topic)
    format_ = of_file if given == "a file" else Protobuf(of_file.generated)
    here = of_topic(apicurio, topic, format_)
    here.register(Settings())
    data = here.from_json(b'{"sum":{"coin":{"cents":120}}}')
    assert json.loads(of_topic(apicurio, topic).to_json(data)) == {"sum": {"coin": {"cents": 120}}}
    read = ProtobufDeserializer(of_file.generated, {"use.deprecated.format": False})(data, value_of(topic))
    assert read.sum.coin.cents == 120
    of_imported = client.get_latest_version(f"{topic}/money.proto")
    assert [one.name for one in of_imported.schema.references or ()] == [f"{topic}/coin.proto"]


@pytest.mark.parametrize("kind", ["avro", "protobuf"])
def test_an_id_that_is_written_into_the_headers_is_read_by_confluents_deserializer(
    apicurio: Apicurio, topic: str, client: SchemaRegistryClient, tmp_path: Path, kind: str
) -> None:
    format_ = Avro(schema(SUM)) if kind == "avro" else protobuf(tmp_path)
    here = of_topic(apicurio, topic, format_)
    here.register(Settings(registry_ids=RegistryIds.HEADERS))
    key, data, headers = Serde(here).write(b"k", b'{"id":"order-1"}')
    assert (key, data) == (b"k", format_.from_json(b'{"id":"order-1"}'))
    assert [name for name, _ in headers] == [VALUE_HEADER]
    assert json.loads(of_topic(apicurio, topic).to_json(data or b"", headers))["id"] == "order-1"
    context = value_of(topic, list(headers))
    if kind == "avro":
        assert AvroDeserializer(client)(data, context)["id"] == "order-1"
    else:
        of_message = protobuf(tmp_path).generated
        read = ProtobufDeserializer(of_message, {"use.deprecated.format": False})(data, context)
        assert read.id == "order-1"


def test_a_key_has_its_id_in_a_header_of_its_own_and_a_tombstone_none_for_its_value(
    apicurio: Apicurio, topic: str
) -> None:
    settings = Settings(registry_ids=RegistryIds.HEADERS)
    value, key = of_topic(apicurio, topic, Avro(schema())), of_topic(apicurio, topic, Avro('"string"'), key=True)
    for each in (value, key):
        each.register(settings)
    written, _, headers = Serde(value, key).write(b"u1", None)
    assert (written, [name for name, _ in headers]) == (b"\x04u1", [KEY_HEADER])


def test_data_of_the_declared_schema_are_had_as_they_are_and_others_as_of_it(
    apicurio: Apicurio, topic: str, client: SchemaRegistryClient
) -> None:
    declared = Avro(schema(SUM))
    here = of_topic(apicurio, topic, declared)
    same = AvroSerializer(client, schema(SUM))({"id": "o1", "sum": 5}, value_of(topic))
    older = AvroSerializer(client, schema())({"id": "o2"}, value_of(topic))
    assert here.bare(same) == here.unframed(same) == same[5:]
    assert json.loads(declared.to_json(here.bare(older))) == {"id": "o2", "sum": 0}
