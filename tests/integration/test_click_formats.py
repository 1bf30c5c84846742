"""The click app on topics of other formats: results have the bytes of both sides, or what these are translated to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pyarrow import parquet
from topics import Topics
from worker import Worker, wait_until

from streamapp.cli.group import streamapp
from streamapp.formats import Avro, Format, Json, MessagePack, Protobuf
from streamapp.formats.keys import KeyField, Keys
from streamapp.pipelines.clicks.result_schemas import result_schemas

SCHEMAS = Path(__file__).parents[2] / "streamapp" / "pipelines" / "clicks" / "schemas"
CLICK, PROFILE = Avro(SCHEMAS / "click.avsc"), Avro(SCHEMAS / "profile.avsc")


def joined_of(click: Format, profile: Format) -> Format:
    schemas = result_schemas(click, profile)
    assert schemas is not None
    return schemas.joined


JOINED_AVRO = joined_of(CLICK, PROFILE)
PROTO = SCHEMAS / "clicks.proto"


def message(name: str) -> Protobuf:
    return Protobuf(PROTO, name)


#: The settings; clicks, profiles and results, and what results say of themselves.
CASES: dict[str, tuple[dict[str, str], Format, Format, Format, bytes]] = {
    "protobuf": (
        {"format": "protobuf"},
        message("Click"),
        message("Profile"),
        message("Joined"),
        b"application/protobuf",
    ),
    "avro": ({"format": "avro"}, CLICK, PROFILE, JOINED_AVRO, b"application/avro"),
    "msgpack": ({"format": "msgpack"}, MessagePack(), MessagePack(), MessagePack(), b"application/vnd.msgpack"),
    "avro and protobuf into avro": (
        {"format": "avro", "profile_format": "protobuf"},
        CLICK,
        message("Profile"),
        JOINED_AVRO,
        b"application/avro",
    ),
    "msgpack and json into protobuf": (
        {"format": "msgpack", "profile_format": "json", "joined_format": "protobuf"},
        MessagePack(),
        Json(),
        message("Joined"),
        b"application/protobuf",
    ),
    "protobuf and msgpack into json": (
        {"format": "protobuf", "profile_format": "msgpack", "joined_format": "json"},
        message("Click"),
        MessagePack(),
        Json(),
        b"application/json",
    ),
}
#: Of the clicks: theirs, and one of a user's own.
HEADERS = [("content-type", b"application/x-click"), ("__value_schema_id", b"7"), ("own_schema_id", b"8")]
JOIN = "user_clicks-user_profiles-join"
AT = 1_700_000_000_000


def click(number: int, user: str) -> dict[str, Any]:
    return {"click_id": f"c{number}", "user_id": user, "url": "/é", "timestamp": AT}


def profile(user: str) -> dict[str, Any]:
    return {"user_id": user, "name": "Ann", "country": "NZ", "plan": "free"}


def encoded(format_: Format, value: object) -> bytes:
    return format_.from_json(json.dumps(value).encode())


TABLE = "/api/tables/user_profiles"


def export(worker: Worker, directory: Path) -> list[Any]:
    """Have `streamapp table` write the rows into files of lines and of columns; return the values of both."""
    for name in ("rows.jsonl", "rows.parquet"):
        given = ["table", "user_profiles", "--to", str(directory / name), "--worker", worker.url]
        assert CliRunner().invoke(streamapp, given, catch_exceptions=False).exit_code == 0
    lines = [json.loads(line)["value"] for line in (directory / "rows.jsonl").read_text().splitlines()]
    return [*lines, *parquet.read_table(directory / "rows.parquet").column("value").to_pylist()]


def newest(worker: Worker, topic: str, count: int) -> list[dict[str, Any]]:
    """Wait until the page shows so many results of a topic, and return them."""

    def shown() -> list[dict[str, Any]] | None:
        with urllib.request.urlopen(f"{worker.url}/api/live", timeout=30) as live:  # noqa: S310 - our worker
            next(line for line in live if line == b"event: worker\n")
            snapshot = json.loads(live.readline().removeprefix(b"data:"))
        found = next(one["results"] for one in snapshot["results"] if one["topic"] == topic)
        return found if len(found) == count else None

    return wait_until(shown, f"{count} results of {topic} are shown")


@pytest.mark.parametrize("case", CASES)
def test_clicks_join_in_other_formats(case: str, kafka, tmp_path: Path) -> None:
    formats, clicks, profiles, joined, media_type = CASES[case]
    topics = Topics(kafka.bootstrap, "click-formats", partitions=2)
    topics.create("user_clicks", "user_profiles")
    topics.send("user_profiles", "u1", encoded(profiles, profile("u1")), at=0)
    topics.flush()
    for number in range(3):
        topics.send("user_clicks", "u1", encoded(clicks, click(number, "u1")), at=number, headers=HEADERS)
    topics.send("user_clicks", "u2", encoded(clicks, click(9, "u2")), at=9)
    topics.send("user_clicks", "u1", encoded(clicks, click(10, "u1"))[:-2], at=10)
    topics.send("user_clicks", "u3", encoded(clicks, click(11, "u1")), at=11)
    topics.flush()
    settings: dict[str, Any] = {**topics.settings, **formats, "join": "left"}
    verdicts: dict[int, str] = {}
    with Worker(tmp_path, **settings) as worker:
        wait_until(lambda: topics.end("joined_data") == 4, "all are joined")
        wait_until(lambda: topics.end("dead_letters") == 2, "two cannot be used")
        row = worker.get("/table/user_profiles/u1/").json()
        wait_until(lambda: topics.end("unmatched_clicks") == 1, "one has no profile")
        wait_until(lambda: worker.get(f"{TABLE}/count").json()["count"] == 1, "the row is committed")
        rows = worker.get(f'{TABLE}/rows?where=country+==+"NZ"+and+_key+==+"u1"').json()["rows"]
        assert worker.get(f'{TABLE}/count?where=country+==+"DE"').json()["count"] == 0
        assert worker.get(f"{TABLE}/rows/u1").json()["value"] == profile("u1")
        exported = export(worker, tmp_path)
        joined_shown = newest(worker, topics.prefix + "joined_data", 4)
        (unmatched,) = newest(worker, topics.prefix + "unmatched_clicks", 1)
        for one in topics.read("user_clicks"):
            (answer,) = worker.get(f"/joins/{JOIN}/user_clicks/{one.partition()}/{one.offset()}/").json()
            verdicts[one.timestamp()[1] - topics.now] = answer["verdict"]
    sent = topics.read("joined_data")
    found = [json.loads(joined.to_json(message.value())) for message in sent]
    told = [dict(message.headers() or ()) for message in sent if message.key() == b"u1"]
    assert told == [{"content-type": media_type, "own_schema_id": b"8"}] * 3
    assert verdicts == {**dict.fromkeys(range(3), "matched"), 9: "unmatched", 10: "refused", 11: "refused"}
    assert [one["value"] for one in rows] == [profile("u1")]
    assert exported == [profile("u1")] * 2
    assert {json.loads(one["value"])["click"]["user_id"] for one in joined_shown} == {"u1", "u2"}
    assert json.loads(unmatched["value"]) == {"click": click(9, "u2"), "reason": "unmatched"}
    assert row == profile("u1")
    for one in found:
        assert one.pop("join_timestamp") > AT / 1000
    expected: list[dict[str, Any]] = [{"click": click(n, "u1"), "profile": profile("u1")} for n in range(3)]
    expected.append({"click": click(9, "u2"), "profile": None})
    assert sorted(found, key=lambda one: one["click"]["click_id"]) == expected
    reasons = sorted(dict(message.headers())["reason"] for message in topics.read("dead_letters"))
    assert reasons == [b"key_mismatch", b"not_" + formats["format"].encode()]


#: The settings of keys, and what they are.
KEYS: dict[str, tuple[dict[str, str], Format]] = {
    "avro": ({"key_format": "avro"}, Avro("string")),
    "protobuf": ({"key_format": "protobuf"}, message("Key")),
    "msgpack": ({"key_format": "msgpack"}, MessagePack()),
    "json": ({"key_format": "json"}, Json()),
}


@pytest.mark.parametrize("case", KEYS)
def test_clicks_whose_keys_are_in_a_format_join_and_are_asked_for_by_their_text(
    case: str, kafka, tmp_path: Path
) -> None:
    given, format_ = KEYS[case]
    keys = Keys(KeyField(format_, "user_id").bound("clicks", key=True))
    topics = Topics(kafka.bootstrap, "click-keys", partitions=3)
    topics.create("user_clicks", "user_profiles")
    users = [f"u{number}" for number in range(6)]
    for user in users:
        topics.send("user_profiles", keys.of(user), encoded(PROFILE, profile(user)), at=0)
    topics.flush()
    for number, user in enumerate(users):
        topics.send("user_clicks", keys.of(user), encoded(CLICK, click(number, user)), at=number)
    topics.send("user_clicks", keys.of("u1"), encoded(CLICK, click(7, "u2")), at=7)
    topics.send("user_clicks", b"\xc1", encoded(CLICK, click(8, "u2")), at=8)
    topics.flush()
    with Worker(tmp_path, **{**topics.settings, **given, "format": "avro"}) as worker:
        wait_until(lambda: topics.end("joined_data") == 6, "all are joined")
        wait_until(lambda: topics.end("dead_letters") == 2, "two have other keys")
        wait_until(lambda: worker.get(f"{TABLE}/count").json()["count"] == 6, "the rows are committed")
        for user in users:
            assert worker.get(f"/table/user_profiles/{user}/").json() == profile(user)
            assert worker.get(f"{TABLE}/rows/{user}").json()["key"] == user
        rows = worker.get(f'{TABLE}/rows?prefix=u&where=_key+==+"u3"').json()["rows"]
        assert worker.get("/table/user_profiles/u9/").status == 404
        see = worker.get(f"/joins/user_clicks-user_profiles-join/user_clicks/?key=u3&time={topics.now + 3}").json()
        (answer,) = worker.get(see["see"]).json()
        results = newest(worker, topics.prefix + "joined_data", 5)
    values = {**topics.settings, **given, "format": "avro"}
    told = subprocess.run(
        [sys.executable, "-m", "streamapp", "topic", "joined_data"],
        env={**os.environ, **{f"STREAMAPP_{name.upper()}": str(value) for name, value in values.items()}},
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    assert {json.loads(line)["key"] for line in told.stdout.splitlines()} == {*users}
    assert [(row["key"], row["value"]) for row in rows] == [("u3", profile("u3"))]
    assert (answer["verdict"], answer["record"]["key"], answer["candidates"][0]["key"]) == ("matched", "u3", "u3")
    assert {one["key"] for one in results} <= {*users}
    places = {message.key(): message.partition() for message in topics.read("user_clicks")}
    found = topics.read("joined_data")
    assert {keys.text(message.key()).decode() for message in found} == {*users}
    assert all(places[message.key()] == message.partition() for message in found)
    reasons = sorted(dict(message.headers())["reason"] for message in topics.read("dead_letters"))
    assert b"key_mismatch" in reasons


def test_each_result_is_there_once_after_a_kill_and_profiles_of_an_earlier_schema_are_read(
    kafka, tmp_path: Path
) -> None:
    earlier = {
        "type": "record",
        "name": "Profile",
        "namespace": "streamapp.clicks",
        "fields": [
            {"name": "user_id", "type": "string"},
            {"name": "label", "type": "string"},
            {"name": "age", "type": "int"},
        ],
    }
    now = {
        **earlier,
        "fields": [
            {"name": "user_id", "type": "string"},
            {"name": "name", "type": "string", "aliases": ["label"]},
            {"name": "age", "type": "long"},
            {"name": "plan", "type": "string", "default": "free"},
        ],
    }
    for name, schema in (("now", now), ("earlier", earlier)):
        (tmp_path / f"{name}.avsc").write_text(json.dumps(schema))
    first, then = tmp_path / "earlier.avsc", tmp_path / "now.avsc"
    topics = Topics(kafka.bootstrap, "click-formats-killed", partitions=2)
    topics.create("user_clicks", "user_profiles")
    settings = {**topics.settings, "format": "avro", "processing_guarantee": "exactly_once"}
    profiles = Avro(first)
    for user in range(4):
        value = encoded(profiles, {"user_id": f"u{user}", "label": f"n{user}", "age": user})
        topics.send("user_profiles", f"u{user}", value, at=0)
    topics.flush()

    def send(numbers: range) -> None:
        for number in numbers:
            user = f"u{number % 4}"
            topics.send("user_clicks", user, encoded(CLICK, click(number, user)), at=number)
        topics.flush()

    send(range(2_000))
    with Worker(tmp_path, profile_schema=first, **settings) as worker:
        wait_until(lambda: topics.end("joined_data") >= 2_000, "there are results")
        send(range(2_000, 4_000))
        worker.kill()
    send(range(4_000, 4_100))
    with Worker(tmp_path, profile_schema=f"{then},{first}", **settings):
        wait_until(lambda: len(topics.read("joined_data")) >= 4_100, "all are joined")
    joined = result_schemas(CLICK, Avro(then))
    assert joined is not None
    assert isinstance(joined.joined, Avro)
    prefix, formats = joined.joined.prefix, [joined_of(CLICK, Avro(schema)) for schema in (first, then)]
    found: Counter[str] = Counter()
    profile_of: dict[str, object] = {}
    for message_ in topics.read("joined_data"):
        result = json.loads(formats[message_.value().startswith(prefix)].to_json(message_.value()))
        found[result["click"]["click_id"]] += 1
        profile_of[result["click"]["click_id"]] = result["profile"]
    assert found == Counter(f"c{number}" for number in range(4_100))
    assert profile_of["c0"] == {"user_id": "u0", "label": "n0", "age": 0}
    assert profile_of["c4000"] == {"user_id": "u0", "name": "n0", "age": 0, "plan": "free"}


def evolved(kind: str, directory: Path) -> tuple[Format, Format, Format, Format]:
    """Return the formats of profiles and of results, before a change of their schema and after it."""
    if kind == "json":
        return Json(), Json(), Json(), Json()
    if kind == "msgpack":
        return MessagePack(), MessagePack(), MessagePack(), MessagePack()
    fields = {
        "before": "string user_id = 1; string label = 2; int32 age = 3; string gone = 4;",
        "after": "string user_id = 1; string name = 2; int64 age = 3; optional string plan = 5;",
    }
    before, after = (Protobuf(directory / f"{name}.proto") for name in fields)
    for name, text in fields.items():
        (directory / f"{name}.proto").write_text(f'syntax = "proto3"; package shop; message Profile {{ {text} }}')
    clicks = message("Click")
    return before, after, joined_of(clicks, before), joined_of(clicks, after)


@pytest.mark.parametrize("kind", ["json", "msgpack", "protobuf"])
def test_a_schema_changes_while_a_worker_runs_with_state(kind: str, kafka, tmp_path: Path) -> None:
    before, after, _, joined = evolved(kind, tmp_path)
    clicks = message("Click") if kind == "protobuf" else before
    topics = Topics(kafka.bootstrap, f"click-evolution-{kind}", partitions=1)
    topics.create("user_clicks", "user_profiles")
    old: list[dict[str, Any]] = [{"user_id": f"u{n}", "label": f"n{n}", "age": n, "gone": "x"} for n in range(2)]
    new = {"user_id": "u1", "name": "Ann", "age": 1 << 40, "plan": "pro"}
    settings: dict[str, Any] = {**topics.settings, "format": kind}

    def schema(name: str) -> dict[str, Any]:
        return {"profile_schema": tmp_path / f"{name}.proto"} if kind == "protobuf" else {}

    def send_clicks(first: int) -> None:
        for number in (first, first + 1):
            topics.send("user_clicks", f"u{number % 2}", encoded(clicks, click(number, f"u{number % 2}")), at=number)
        topics.flush()

    for one in old:
        topics.send("user_profiles", one["user_id"], encoded(before, one), at=0)
    topics.flush()
    send_clicks(0)
    with Worker(tmp_path, **schema("before"), **settings) as worker:
        wait_until(lambda: topics.end("joined_data") == 2, "all are joined by the old schema")
        topics.send("user_profiles", "u1", encoded(after, new), at=2)
        topics.send("user_profiles", "u1", b"\xff\x00", at=3)
        topics.flush()
        send_clicks(4)
        wait_until(lambda: topics.end("joined_data") == 4, "a producer has the new schema")
        worker.terminate()
    send_clicks(6)
    with Worker(tmp_path, **schema("after"), **settings) as worker:
        wait_until(lambda: topics.end("joined_data") == 6, "all are joined by the new one")
        rows = [worker.get(f"/table/user_profiles/u{number}/").json() for number in range(2)]
    results = [json.loads(joined.to_json(one.value())) for one in topics.read("joined_data")]
    found = {one["click"]["click_id"]: one["profile"] for one in results}
    kept = {"user_id": "u0", "name": "n0", "age": 0, "plan": None} if kind == "protobuf" else old[0]
    assert [found["c0"], found["c4"], found["c6"]] == [kept] * 3
    assert [found["c5"], found["c7"]] == [new] * 2
    assert found["c1"] == ({"user_id": "u1", "name": "n1", "age": 1, "plan": None} if kind == "protobuf" else old[1])
    assert rows == [kept, new]
    (letter,) = topics.read("dead_letters")
    assert dict(letter.headers())["reason"] == f"not_{kind}".encode()
    assert letter.value() == b"\xff\x00"


@pytest.mark.parametrize("kind", ["json", "avro", "protobuf", "msgpack"])
def test_rows_that_were_written_in_another_format_refuse_the_start(kind: str, kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, f"click-format-changed-{kind}", partitions=1)
    topics.create("user_clicks", "user_profiles")
    formats: dict[str, Format] = {"avro": PROFILE, "protobuf": message("Profile"), "msgpack": MessagePack()}
    topics.send("user_profiles", "u1", encoded(formats.get(kind, Json()), profile("u1")), at=0)
    topics.flush()
    with Worker(tmp_path, format=kind, **topics.settings) as worker:
        wait_until(lambda: topics.table("user_profiles"), "the row is in the changelog")
        worker.terminate()
    other = "json" if kind == "avro" else "avro"
    with Worker(tmp_path / "memory", store="memory://", format=other, **topics.settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker does not start")
        line = worker.log.splitlines()[-1]
    assert line == (
        f"streamapp: the rows of the table user_profiles are in {kind}, and STREAMAPP_FORMAT={other} would write them "
        f"in {other}; `streamapp reset` begins with an empty state, another STREAMAPP_ID beside this one"
    )
    with Worker(tmp_path, format=kind, **topics.settings) as worker:
        assert worker.wait_ready().get("/table/user_profiles/u1/").json() == profile("u1")
