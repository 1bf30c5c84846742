"""``streamapp window`` on topics in a registry's wire format: each record says which schema wrote it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from apicurio import Apicurio
from confluent_kafka.schema_registry import SchemaRegistryClient
from topics import Received, Topics
from windowed import accounts
from worker import Worker, wait_until

from streamapp.formats import Avro, Protobuf, Registered
from streamapp.formats.registered import RegisteredData
from streamapp.formats.registry import Registry
from streamapp.formats.wire_format import read_frame
from streamapp.settings import Settings

#: A whole minute, an hour ago.
START = (int(time.time()) // 60 - 60) * 60_000
#: Of an id that no schema has.
GARBAGE = (1_999_999_996).to_bytes(5) + b"rest"
ACCOUNT = Avro("long")

TX_AVSC = {
    "type": "record",
    "name": "Tx",
    "fields": [{"name": "ip", "type": "string"}, {"name": "amount", "type": "double"}],
}
SUM_AVSC = {
    "type": "record",
    "name": "Sum",
    "fields": [
        {"name": "key", "type": "string"},
        *({"name": name, "type": "long"} for name in ("start", "end", "count")),
        {"name": "sum_amount", "type": "double"},
    ],
}
TX_PROTO = """syntax = "proto3";
package {package};
message Tx {{ string ip = 1; double amount = 2; }}
"""
SUM_PROTO = """syntax = "proto3";
package {package};
message Sum {{ string key = 1; int64 start = 2; int64 end = 3; int64 count = 4; double sum_amount = 5; }}
"""


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "window-registry", partitions=2)
    topics.create("tx")
    topics.now = START
    return topics


@pytest.fixture(params=["avro", "protobuf"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def schemas(kind: str, directory: Path) -> tuple[Path, Path]:
    """Write the schemas of what comes in and of the results."""
    files = ("tx", TX_AVSC, TX_PROTO), ("sum", SUM_AVSC, SUM_PROTO)
    made = []
    for name, avsc, proto in files:
        path = directory / f"{name}.{'avsc' if kind == 'avro' else 'proto'}"
        package = f"windows{directory.name.replace('-', '_')}"
        path.write_text(json.dumps(avsc) if kind == "avro" else proto.format(package=package))
        made.append(path)
    return made[0], made[1]


def of_topic(apicurio: Apicurio, name: str, schema: Path | None = None) -> RegisteredData:
    """Return what reads the values of a topic, and writes them if there is a schema."""
    known = Settings(registry_url=apicurio.url)
    format_ = None if schema is None else Avro(schema) if schema.suffix == ".avsc" else Protobuf(schema)
    found = Registered(format_).bound(name)
    found.connect(Registry(known), blocks=True)
    if format_ is not None:
        found.register(known)
    return found


def send(topics: Topics, tx: RegisteredData) -> None:
    """Send two transactions of a minute, one of the next, and one of a schema that there is not."""
    key = ACCOUNT.from_json(b"7")
    for at, amount in ((0, 5), (59_999, 7), (60_000, 1)):
        topics.send("tx", key, tx.from_json(json.dumps({"ip": "10.0.0.1", "amount": amount}).encode()), at=at)
    topics.send("tx", key, GARBAGE, at=60_000)
    topics.flush()


def values(apicurio: Apicurio, topics: Topics, name: str) -> tuple[list[Received], list[dict[str, Any]]]:
    """Return the records of a topic, and their values as the schemas that they name have them."""
    data, found = of_topic(apicurio, topics.prefix + name), list(topics.read(name))
    return found, [json.loads(data.to_json(one.value(), one.headers() or ())) for one in found]


def number_of(value: dict[str, Any]) -> dict[str, Any]:
    """Return a value whose integers of 64 bits are numbers, as Protobuf's JSON has them as text."""
    return {name: value[name] if name == "key" else float(value[name]) for name in value}


EXPECTED = {"start": START, "end": START + 60_000, "count": 2, "sum_amount": 12}


def test_values_that_name_their_schemas_are_summed_up_by_keys_in_a_format(
    kind: str, topics: Topics, apicurio: Apicurio, tmp_path: Path
) -> None:
    tx, to = schemas(kind, tmp_path)
    send(topics, of_topic(apicurio, f"{topics.prefix}tx", tx))
    command = ["window", "--topic", "tx", "--size", "1m", "--count", "--sum", "amount", "--to", "account_minutes"]
    command += ["--key-format", "avro", "--key-schema", "long", "--format", kind, "--to-schema", f"{to}"]
    command += ["--late", "late"]
    with Worker(tmp_path, command=command, registry_url=apicurio.url, **topics.settings) as worker:
        wait_until(lambda: topics.end("account_minutes") == 1, "a minute is over")
        wait_until(lambda: topics.end("dead_letters") == 1, "one cannot be read")
        (open_window,) = worker.get("/table/account_minutes/7/").json()
        see = worker.get(f"/joins/account_minutes/tx/?key=7&time={START}").json()["see"]
        (answer,) = worker.get(see).json()
        counted = accounts(worker, "account_minutes")
    (record, *_) = topics.read("tx")
    (result,), (value,) = values(apicurio, topics, "account_minutes")
    assert (result.key(), result.partition()) == (record.key(), record.partition())
    assert number_of(value) == {"key": "7", **EXPECTED}
    client = SchemaRegistryClient({"url": apicurio.url, "timeout": 10})
    latest = client.get_latest_version(f"{topics.prefix}account_minutes-value")
    assert read_frame(result.value()).schema == latest.schema_id
    assert (open_window["start"], open_window["sum_amount"]) == (START + 60_000, 1)
    assert (answer["verdict"], answer["record"]["key"]) == ("matched", "7")
    assert +counted == {"received": 4, "matched": 2, "pending": 1, "rejected": 1}
    (letter,) = topics.read("dead_letters")
    assert (letter.key(), letter.value()) == (record.key(), GARBAGE)
    assert dict(letter.headers())["reason"] == b"unknown_schema"


def test_values_that_name_their_schemas_are_summed_up_by_a_field_as_the_declared_one_has_them(
    kind: str, topics: Topics, apicurio: Apicurio, tmp_path: Path
) -> None:
    tx, to = schemas(kind, tmp_path)
    send(topics, of_topic(apicurio, f"{topics.prefix}tx", tx))
    command = ["window", "--topic", "tx", "--by", "ip", "--size", "1m", "--count", "--sum", "amount", "--to", "minutes"]
    command += ["--key-format", "avro", "--key-schema", "long", "--schema", f"{tx}", "--to-schema", f"{to}"]
    with Worker(tmp_path, command=command, registry_url=apicurio.url, **topics.settings) as worker:
        wait_until(lambda: topics.end("minutes") == 1, "a minute is over")
        wait_until(lambda: topics.end("dead_letters") == 1, "one cannot be read")
        (open_window,) = worker.get("/table/minutes/10.0.0.1/").json()
    (result,), (value,) = values(apicurio, topics, "minutes")
    assert result.key() == b"10.0.0.1"
    assert number_of(value) == {"key": "10.0.0.1", **EXPECTED}
    assert (open_window["start"], open_window["sum_amount"]) == (START + 60_000, 1)
