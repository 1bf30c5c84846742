"""What is kept of a registry's schemas is bounded, whatever ids the data of a topic name."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from apicurio import Apicurio, Door
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from streamapp.formats import known_schemas, registered, registry
from streamapp.formats.avro import Avro
from streamapp.formats.registered import Registered, RegisteredData, UnfetchedError
from streamapp.formats.registry import Registry
from streamapp.formats.undecodable import Undecodable
from streamapp.formats.wire_format import read_frame
from streamapp.joins import Event
from streamapp.settings import Settings

numbers = itertools.count(int(time.time()))
#: Of ids that no schema has.
GARBAGE = [(1_600_000_000 + number).to_bytes(5) + b"rest" for number in range(500)]


@pytest.fixture
def door(apicurio: Apicurio) -> Iterator[Door]:
    with Door(apicurio) as door:
        yield door


def of_topic(door: Door, *, blocks: bool = True, format_: Avro | None = None) -> RegisteredData:
    found = Registered(format_).bound("orders")
    found.connect(Registry(Settings(registry_url=door.url)), blocks=blocks)
    return found


def written(apicurio: Apicurio, schemas: int) -> list[bytes]:
    """Return values of as many schemas."""
    client = SchemaRegistryClient({"url": apicurio.url, "timeout": 10})
    of = SerializationContext(f"known{next(numbers)}", MessageField.VALUE)
    found = []
    for number in range(schemas):
        fields = [{"name": f"field_{next(numbers)}", "type": "long", "default": number}]
        schema = {"type": "record", "name": "Order", "fields": fields}
        data = AvroSerializer(client, json.dumps(schema))({fields[0]["name"]: number}, of)
        assert data is not None
        found.append(data)
    return found


def read(data: RegisteredData, values: list[bytes]) -> list[str]:
    """Read values as a worker does: again from the first one after each wait for schemas; returns why they are bad."""
    while True:
        errors = []
        try:
            for value in values:
                try:
                    data.to_json(value)
                except Undecodable as exc:
                    errors.append(str(exc))
        except UnfetchedError as exc:
            for one in exc.with_those_of([Event(b"k", value, 0) for value in values]):
                if not one.fetch():
                    one.refuse()
        else:
            return errors


@pytest.mark.parametrize("blocks", [True, False])
def test_of_ever_new_ids_that_no_schema_has_as_many_are_asked_for_as_are_remembered(door: Door, blocks: bool) -> None:
    data = of_topic(door, blocks=blocks)
    errors = read(data, GARBAGE)
    assert len(errors) == len(GARBAGE)
    assert len(door.asked) == known_schemas.REFUSED_AT_MOST == 100
    assert all(error.endswith("does not have it") for error in errors[:100])
    told = "it is not asked for, since 100 others that records have named within 30 s are none that can be read"
    assert all(error.endswith(told) for error in errors[100:])


def test_after_a_while_others_are_asked_for(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    data = of_topic(door)
    read(data, GARBAGE[:100])
    assert "it is not asked for" in read(data, GARBAGE[200:201])[0]
    later = time.monotonic() + known_schemas.REFUSED_S
    monkeypatch.setattr(known_schemas, "time", SimpleNamespace(monotonic=lambda: later))
    assert read(data, GARBAGE[200:201])[0].endswith("does not have it")
    assert len(door.asked) == 101


def test_schemas_of_kinds_that_are_not_read_are_remembered_as_those_that_are_none(door: Door) -> None:
    door.instead = lambda path: (200, b'{"schemaType":"XML","schema":"<a/>"}') if "/schemas/" in path else None
    data = of_topic(door)
    assert all("it is of XML" in error for error in [*read(data, GARBAGE)[:100], *read(data, GARBAGE)[:100]])
    assert len(door.asked) == 100


@pytest.mark.parametrize("blocks", [True, False])
def test_readers_are_bounded_and_those_that_were_forgotten_are_had_again(
    apicurio: Apicurio, door: Door, monkeypatch: pytest.MonkeyPatch, blocks: bool
) -> None:
    values = written(apicurio, 7)
    monkeypatch.setattr(known_schemas, "READERS_AT_MOST", 3)
    monkeypatch.setattr(registered, "ASKED_AT_ONCE", 2)
    data = of_topic(door, blocks=blocks)
    for value in (*values, *values):
        assert read(data, [value]) == []
        assert len(data.schemas.readers) <= 3 + 1
    assert read(data, [values[0]]) == []


def test_a_batch_of_more_schemas_than_are_kept_is_read(
    apicurio: Apicurio, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = written(apicurio, 7)
    monkeypatch.setattr(known_schemas, "READERS_AT_MOST", 3)
    monkeypatch.setattr(registered, "ASKED_AT_ONCE", 2)
    assert read(of_topic(door, blocks=False), values) == []


def test_texts_of_schemas_are_bounded_and_fetched_again(
    apicurio: Apicurio, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [read_frame(value).schema for value in written(apicurio, 3)]
    monkeypatch.setattr(registry, "SCHEMAS_AT_MOST", 2)
    here = Registry(Settings(registry_url=door.url))
    found = [here.schema(id_) for id_ in (*ids, ids[0], ids[2])]
    assert found[0] == found[3]
    assert len(door.asked) == 4
