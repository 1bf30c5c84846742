"""`streamapp topic` shows what is in a topic: decoded, chosen, counted, and as it comes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec
import pytest
from apicurio import Apicurio
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from ports import free_port
from topics import Topics

from streamapp.formats import Avro

#: So many orders, o0 to o99, one a second, by turns in two partitions.
ORDERS = 100
SCHEMA = json.dumps({"type": "record", "name": "Paid", "fields": [{"name": "id", "type": "string"}]})


@pytest.fixture(scope="module")
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "topic", partitions=2)
    topics.now -= topics.now % 1_000
    topics.create("orders", "mixed", "moved", "framed")
    for number in range(ORDERS):
        order = {"id": f"o{number}", "amount": number, "user": {"id": f"u{number % 10}"}}
        topics.send("orders", f"u{number % 10}", order, at=number * 1_000, partition=number % 2)
    topics.flush()
    return topics


def command(topics: Topics, *arguments: str, **settings: str) -> tuple[list[str], dict[str, str]]:
    variables = {f"STREAMAPP_{name.upper()}": str(value) for name, value in {**topics.settings, **settings}.items()}
    return [sys.executable, "-m", "streamapp", "topic", *arguments], {**os.environ, **variables}


def run(topics: Topics, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    line, variables = command(topics, *arguments, **settings)
    return subprocess.run(line, env=variables, capture_output=True, text=True, timeout=90, check=False)


def shown(topics: Topics, *arguments: str, **settings: str) -> list[Any]:
    ran = run(topics, *arguments, **settings)
    assert (ran.returncode, ran.stderr) == (0, "")
    return [json.loads(line) for line in ran.stdout.splitlines()]


def ids(records: list[Any]) -> list[str]:
    return [record["value"]["id"] for record in records]


def at(topics: Topics, seconds: int) -> str:
    return str(topics.now + seconds * 1_000)


def test_the_newest_records_are_shown_in_the_order_of_their_times(topics: Topics) -> None:
    found = shown(topics, "orders", "-n", "3")
    assert ids(found) == ["o97", "o98", "o99"]
    moment = found[-1].pop("timestamp")
    assert moment.endswith(".000Z")
    assert found[-1] == {
        "partition": 1,
        "offset": 49,
        "key": "u9",
        "value": {"id": "o99", "amount": 99, "user": {"id": "u9"}},
    }


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        (["--where", "amount > 96"], [97, 98, 99]),
        (["-n", "2", "--where", "amount < 10"], [8, 9]),
        (["--key", "u3", "-n", "2"], [83, 93]),
        (["--where", "user.id in ['u1', 'u2'] and amount < 20"], [1, 2, 11, 12]),
        (["--partition", "1", "-n", "2"], [97, 99]),
    ],
)
def test_the_newest_of_those_that_are_meant_are_found_however_far_back(
    topics: Topics, arguments: list[str], numbers: list[int]
) -> None:
    assert ids(shown(topics, "orders", *arguments)) == [f"o{number}" for number in numbers]


def test_records_from_a_time_up_to_another_one(topics: Topics) -> None:
    found = shown(topics, "orders", "--from", at(topics, 20), "--until", at(topics, 24))
    assert sorted(ids(found)) == ["o20", "o21", "o22", "o23"]


def test_records_from_an_offset_of_each_partition(topics: Topics) -> None:
    assert sorted(ids(shown(topics, "orders", "--offset", "48"))) == ["o96", "o97", "o98", "o99"]
    assert ids(shown(topics, "orders", "--offset", "0", "-n", "2", "-p", "0")) == ["o0", "o2"]


@pytest.mark.parametrize(
    ("arguments", "count"), [([], ORDERS), (["--key", "u3"], 10), (["--where", "amount >= 90", "-p", "0"], 5)]
)
def test_records_are_counted(topics: Topics, arguments: list[str], count: int) -> None:
    assert run(topics, "orders", "--count", *arguments).stdout == f"{count}\n"


def test_values_alone_are_lines_for_another_program(topics: Topics) -> None:
    assert shown(topics, "orders", "--values", "-n", "1") == [{"id": "o99", "amount": 99, "user": {"id": "u9"}}]


def test_what_a_value_is_shows_by_its_content(topics: Topics, apicurio: Apicurio, tmp_path: Path) -> None:
    client = SchemaRegistryClient({"url": apicurio.url, "timeout": 10})
    topic = f"{topics.prefix}mixed"
    paid = AvroSerializer(client, SCHEMA)({"id": "p"}, SerializationContext(topic, MessageField.VALUE))
    bare = Avro(SCHEMA).from_json(b'{"id":"bare"}')
    values = [None, b'{"a":1}', msgspec.msgpack.encode({"b": 2}), b"some text", paid, bare, b"\xff\xfe\x01\x00\x02"]
    for number, value in enumerate(values):
        topics.send("mixed", b"\0\0\0\1", value, at=number, partition=0, headers=[("h", b"x"), ("h", b"\xff")])
    topics.flush()
    found = shown(topics, "mixed", registry_url=apicurio.url)
    assert [record["value"] for record in found[:5]] == [None, {"a": 1}, {"b": 2}, "some text", {"id": "p"}]
    assert found[6]["value"] == {"base64": "//4BAAI="}
    assert [record.get("format") for record in found[:4]] == [None, None, "msgpack", None]
    assert found[4]["format"].startswith("avro, schema ")
    assert (found[0]["key"], found[0]["key_format"]) == ({"base64": "AAAAAQ=="}, "binary")
    assert found[0]["headers"] == {"h": ["x", {"base64": "/w=="}]}
    (tmp_path / "paid.avsc").write_text(SCHEMA)
    of_schema, other = shown(topics, "mixed", "--offset", "5", "-p", "0", "--schema", str(tmp_path / "paid.avsc"))
    assert of_schema["value"] == {"id": "bare"}
    assert other["value"] == {"base64": "//4BAAI="}
    assert "it is no Avro of the schema Paid" in other["error"]


def test_a_record_whose_schema_cannot_be_had_is_shown_undecoded_with_why_and_those_after_it_too(
    topics: Topics, apicurio: Apicurio
) -> None:
    client = SchemaRegistryClient({"url": apicurio.url, "timeout": 10})
    context = SerializationContext(f"{topics.prefix}framed", MessageField.VALUE)
    values = [b"\x00\x77\x35\x94\x00x", b"\x00\xff\xff\xff\xffx", AvroSerializer(client, SCHEMA)({"id": "p"}, context)]
    for number, value in enumerate(values):
        topics.send("framed", None, value, at=number, partition=0)
    topics.flush()
    unknown, other, known = shown(topics, "framed", registry_url=apicurio.url)
    assert (unknown["value"], known["value"]) == ({"base64": "AHc1lAB4"}, {"id": "p"})
    assert unknown["error"].endswith("does not have it")
    assert unknown["error"].startswith("schema 2000000000: the schema registry at ")
    assert (other["value"], "error" in other) == ({"base64": "AP////94"}, False)  # it is in no registry's wire format
    for record in shown(topics, "framed", registry_url=f"http://127.0.0.1:{free_port()}")[::2]:
        assert "does not answer: " in record["error"]


@pytest.fixture
def following(topics: Topics) -> Iterator[subprocess.Popen[str]]:
    line, variables = command(topics, "orders", "--follow", "-n", "1")
    with subprocess.Popen(line, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def read_line(stream: IO[str] | None) -> Any:
    assert stream is not None
    return json.loads(stream.readline())


def test_what_is_written_is_shown_as_it_comes_until_ctrl_c(topics: Topics, following: subprocess.Popen[str]) -> None:
    assert read_line(following.stdout)["value"]["id"] == "o99"
    topics.send("orders", "u1", {"id": "o98"}, at=0, partition=0)  # of the time of the first: it is counted by none
    topics.flush()
    assert read_line(following.stdout)["value"] == {"id": "o98"}
    following.send_signal(signal.SIGINT)
    assert following.wait(60) == 0
    assert following.stderr is not None
    assert following.stderr.read() == ""


def test_a_reader_that_has_seen_enough_ends_it_without_a_word(topics: Topics) -> None:
    line, variables = command(topics, "orders", "--follow", "--from", "beginning")
    with subprocess.Popen(line, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert read_line(process.stdout)["partition"] in {0, 1}
        assert process.stdout is not None
        process.stdout.close()
        topics.send("orders", "u1", {"id": "o97"}, at=0, partition=0)
        topics.flush()
        assert process.wait(60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_of_transactions_what_was_aborted_is_shown_only_if_asked_for(topics: Topics) -> None:
    producer = Producer({"bootstrap.servers": topics.bootstrap, "transactional.id": topics.id, "log_level": 0})
    producer.init_transactions(30)
    for value, end in ((b'"kept"', producer.commit_transaction), (b'"dropped"', producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce(f"{topics.prefix}moved", value, partition=0)
        producer.flush(30)
        end(30)
    assert [record["value"] for record in shown(topics, "moved")] == ["kept"]
    assert [record["value"] for record in shown(topics, "moved", "--uncommitted")] == ["kept", "dropped"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["odrers"], 1, "there is no topic odrers at "),
        (["orders", "-p", "2"], 1, "has no partition 2, but 0 to 1"),
        (["orders", "--where", "amount >> 1"], 2, "Invalid value for '--where': column 1: amount >> 1 is neither true"),
        (["orders", "--format", "avro"], 2, "--format avro needs --schema FILE, or a registry"),
        (["orders", "--follow", "--count"], 2, "--follow and --count exclude each other"),
    ],
)
def test_what_cannot_be_shown_is_one_line(topics: Topics, arguments: list[str], status: int, message: str) -> None:
    ran = run(topics, *arguments)
    assert (ran.returncode, ran.stdout) == (status, "")
    (line,) = ran.stderr.splitlines()
    assert message in line
