"""The click app on topics in a registry's wire format: results have schemas of their own, which are registered."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apicurio import Apicurio
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from topics import Received, Topics
from worker import Worker, wait_until

from streamapp.formats import Avro, Protobuf, Registered
from streamapp.formats.registered import RegisteredData
from streamapp.formats.registry import Registry
from streamapp.formats.serde import Serde
from streamapp.formats.wire_format import VALUE_HEADER, read_frame
from streamapp.settings import RegistryIds, Settings

SCHEMAS = Path(__file__).parents[2] / "streamapp" / "pipelines" / "clicks" / "schemas"
AT = 1_700_000_000_000
ANN = {"user_id": "u1", "name": "Ann", "country": "NZ", "plan": "free"}
#: Of an id that no schema has.
GARBAGE = (1_999_999_997).to_bytes(5) + b"rest"


def click(number: int, user: str) -> dict[str, Any]:
    return {"click_id": f"c{number}", "user_id": user, "url": "/é", "timestamp": AT}


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "click-registry", partitions=2)
    topics.create("user_clicks", "user_profiles")
    return topics


def of_topic(apicurio: Apicurio, name: str, format_: Avro | Protobuf | None = None, **settings: Any) -> RegisteredData:
    """Return what reads the values of a topic, and writes them if there is a format."""
    known = Settings(registry_url=apicurio.url, **settings)
    found = Registered(format_).bound(name)
    found.connect(Registry(known), blocks=True)
    if format_ is not None:
        found.register(known)
    return found


def read(data: RegisteredData, topics: Topics, name: str) -> list[dict[str, Any]]:
    found = [json.loads(data.to_json(one.value(), one.headers() or ())) for one in topics.read(name)]
    return sorted(found, key=lambda one: one["click"]["click_id"])


def send(topics: Topics, clicks: RegisteredData, profiles: RegisteredData) -> None:
    """Send three clicks of a user, one of another one, and one whose schema there is not."""

    def send(name: str, data: RegisteredData, key: str, value: dict[str, Any], at: int) -> None:
        _, encoded, headers = Serde(data).write(None, json.dumps(value).encode())
        topics.send(name, key, encoded, at=at, headers=[*headers])

    send("user_profiles", profiles, "u1", ANN, 0)
    topics.flush()
    for number in range(3):
        send("user_clicks", clicks, "u1", click(number, "u1"), number)
    send("user_clicks", clicks, "u2", click(9, "u2"), 9)
    topics.send("user_clicks", "u1", GARBAGE, at=10)
    topics.flush()


def done(topics: Topics) -> None:
    wait_until(lambda: topics.end("joined_data") == 4, "all are joined")
    wait_until(lambda: topics.end("unmatched_clicks") == 1, "one has no profile")
    wait_until(lambda: topics.end("dead_letters") == 1, "one cannot be read")


def check(joined: list[dict[str, Any]], unmatched: list[dict[str, Any]]) -> None:
    for one in joined:
        assert one.pop("join_timestamp") > AT / 1000
    expected: list[dict[str, Any]] = [{"click": click(n, "u1"), "profile": ANN} for n in range(3)]
    assert joined == [*expected, {"click": click(9, "u2"), "profile": None}]
    assert unmatched == [{"click": click(9, "u2"), "reason": "unmatched"}]


def own(directory: Path, name: str) -> Path:
    """Write the file of a message of its own, as the demo's has it."""
    text = (SCHEMAS / "clicks.proto").read_text()
    begin = text.index(f"message {name} ")
    path = directory / f"{directory.name}_{name.lower()}.proto"
    path.write_text(f'syntax = "proto3";\npackage own;\n{text[begin : text.index("}", begin) + 1]}\n')
    return path


def demo(kind: str) -> Callable[[Path], tuple[Avro | Protobuf, Avro | Protobuf, dict[str, str]]]:
    def made(directory: Path) -> tuple[Avro | Protobuf, Avro | Protobuf, dict[str, str]]:
        if kind == "avro":
            return Avro(SCHEMAS / "click.avsc"), Avro(SCHEMAS / "profile.avsc"), {"format": "avro"}
        if kind == "protobuf":
            path = SCHEMAS / "clicks.proto"
            return Protobuf(path, "Click"), Protobuf(path, "Profile"), {"format": "protobuf"}
        clicks, profiles = own(directory, "Click"), own(directory, "Profile")
        settings = {"format": "protobuf", "click_schema": f"{clicks}", "profile_schema": f"{profiles}"}
        return Protobuf(clicks), Protobuf(profiles), settings

    return made


@pytest.mark.parametrize("kind", ["avro", "protobuf", "protobuf of one's own"])
@pytest.mark.parametrize("ids", ["data", "headers"])
def test_clicks_join_and_results_are_of_schemas_that_are_registered_under_their_subjects(
    kind: str, ids: str, topics: Topics, apicurio: Apicurio, tmp_path: Path
) -> None:
    clicks, profiles, settings = demo(kind)(tmp_path)
    where = {"registry_ids": RegistryIds(ids)}
    send(
        topics,
        of_topic(apicurio, f"{topics.prefix}user_clicks", clicks, **where),
        of_topic(apicurio, f"{topics.prefix}user_profiles", profiles, **where),
    )
    settings |= {"join": "left", "registry_url": apicurio.url, "registry_ids": ids}
    with Worker(tmp_path, **{**topics.settings, **settings}) as worker:
        done(topics)
        row = worker.get("/table/user_profiles/u1/").json()
        joined = topics.read("joined_data")
        place = next(one for one in topics.read("user_clicks") if one.key() == b"u2")
        path = f"/joins/user_clicks-user_profiles-join/{place.topic()}/{place.partition()}/{place.offset()}/"
        (answer,) = worker.get(path).json()
    assert row == ANN
    assert answer["verdict"] == "unmatched"
    by_itself = of_topic(apicurio, f"{topics.prefix}joined_data")
    check(read(by_itself, topics, "joined_data"), read(by_itself, topics, "unmatched_clicks"))
    client = SchemaRegistryClient({"url": apicurio.url, "timeout": 10})
    latest = client.get_latest_version(f"{topics.prefix}joined_data-value")
    if ids == "data":
        assert {read_frame(one.value()).schema for one in joined} == {latest.schema_id}
    else:
        assert {tuple(name for name, _ in one.headers()) for one in joined} == {(VALUE_HEADER,)}
    assert client.get_latest_version(f"{topics.prefix}unmatched_clicks-value").version == 1
    (letter,) = topics.read("dead_letters")
    assert letter.value() == GARBAGE
    assert dict(letter.headers())["error"].startswith(b"schema 1999999997: the schema registry at ")


def test_what_an_older_schema_wrote_is_joined_as_of_the_declared_one_and_read_by_confluents_deserializer(
    topics: Topics, apicurio: Apicurio, tmp_path: Path
) -> None:
    client = SchemaRegistryClient({"url": apicurio.url, "timeout": 10})

    def of(name: str) -> SerializationContext:
        return SerializationContext(topics.prefix + name, MessageField.VALUE)

    older = json.loads((SCHEMAS / "profile.avsc").read_text())
    older["fields"].pop()  # the plan
    before = {name: value for name, value in ANN.items() if name != "plan"}
    topics.send("user_profiles", "u1", AvroSerializer(client, json.dumps(older))(before, of("user_profiles")), at=0)
    topics.flush()
    schema = (SCHEMAS / "click.avsc").read_text()
    topics.send("user_clicks", "u1", AvroSerializer(client, schema)(click(1, "u1"), of("user_clicks")), at=1)
    topics.flush()
    with Worker(tmp_path, format="avro", registry_url=apicurio.url, **topics.settings):
        wait_until(lambda: topics.end("joined_data") == 1, "it is joined")
    (result,) = topics.read("joined_data")
    joined = AvroDeserializer(client)(result.value(), of("joined_data"))
    assert joined["click"] == click(1, "u1")
    assert joined["profile"] == {**ANN, "plan": ""}


def test_topics_that_are_bare_have_no_ids_and_what_is_produced_by_the_settings_is_so_too(
    topics: Topics, apicurio: Apicurio, tmp_path: Path
) -> None:
    settings = {"format": "avro", "bare": "user_profiles,joined_data", "registry_url": apicurio.url}
    with Worker(tmp_path, **{**topics.settings, **settings}) as worker:
        worker.wait_ready()
        shares = ["--bad-share", "0", "--late-share", "0"]
        produce = ["streamapp", "produce", "--users", "3", "--clicks", "20", *shares, "--quiet"]
        variables = {f"STREAMAPP_{name.upper()}": str(value) for name, value in {**topics.settings, **settings}.items()}
        subprocess.run([sys.executable, "-m", *produce], env=variables, check=True, timeout=90)
        wait_until(lambda: topics.end("joined_data") == 20, "all are joined")
    clicks = of_topic(apicurio, f"{topics.prefix}user_clicks")
    assert all("click_id" in json.loads(clicks.to_json(one.value())) for one in values(topics, "user_clicks"))
    profiles = Avro(SCHEMAS / "profile.avsc")
    assert all("plan" in json.loads(profiles.to_json(one.value())) for one in values(topics, "user_profiles"))
    assert not any(one.value().startswith(b"\0") for one in topics.read("joined_data"))
    assert topics.end("dead_letters") == 0


def values(topics: Topics, name: str) -> list[Received]:
    found = [one for one in topics.read(name) if one.value() is not None]
    assert found
    return found
