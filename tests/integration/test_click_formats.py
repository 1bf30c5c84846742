"""The click app on topics of other formats: results have the bytes of both sides, or what these are translated to."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from topics import Topics
from worker import Worker, wait_until

from streamapp.formats import Avro, Format, Json, MessagePack, Protobuf
from streamapp.pipelines.clicks import avro_results, protobuf_results

SCHEMAS = Path(__file__).parents[2] / "streamapp" / "pipelines" / "clicks" / "schemas"
CLICK, PROFILE = Avro(SCHEMAS / "click.avsc"), Avro(SCHEMAS / "profile.avsc")
JOINED_AVRO = avro_results.joined(CLICK, PROFILE)
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
        for one in topics.read("user_clicks"):
            (answer,) = worker.get(f"/joins/{JOIN}/user_clicks/{one.partition()}/{one.offset()}/").json()
            verdicts[one.timestamp()[1] - topics.now] = answer["verdict"]
    sent = topics.read("joined_data")
    found = [json.loads(joined.to_json(message.value())) for message in sent]
    told = [dict(message.headers() or ()) for message in sent if message.key() == b"u1"]
    assert told == [{"content-type": media_type, "own_schema_id": b"8"}] * 3
    assert verdicts == {**dict.fromkeys(range(3), "matched"), 9: "unmatched", 10: "refused", 11: "refused"}
    assert row == profile("u1")
    for one in found:
        assert one.pop("join_timestamp") > AT / 1000
    expected: list[dict[str, Any]] = [{"click": click(n, "u1"), "profile": profile("u1")} for n in range(3)]
    expected.append({"click": click(9, "u2"), "profile": None})
    assert sorted(found, key=lambda one: one["click"]["click_id"]) == expected
    reasons = sorted(dict(message.headers())["reason"] for message in topics.read("dead_letters"))
    assert reasons == [b"key_mismatch", b"not_" + formats["format"].encode()]


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
    before, joined = (avro_results.joined(CLICK, Avro(schema)) for schema in (first, then))
    found: Counter[str] = Counter()
    profile_of: dict[str, object] = {}
    for message_ in topics.read("joined_data"):
        with_now = message_.value().startswith(joined.prefix)
        result = json.loads((joined if with_now else before).to_json(message_.value()))
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
    return before, after, protobuf_results.joined(clicks, before), protobuf_results.joined(clicks, after)


@pytest.mark.parametrize("kind", ["json", "msgpack", "protobuf"])
def test_a_schema_changes_while_a_worker_runs_with_state(kind: str, kafka, tmp_path: Path) -> None:
    before, after, _, joined = evolved(kind, tmp_path)
    clicks = message("Click") if kind == "protobuf" else before
    topics = Topics(kafka.bootstrap, f"click-evolution-{kind}", partitions=1)
    topics.create("user_clicks", "user_profiles")
    old = [{"user_id": f"u{n}", "label": f"n{n}", "age": n, "gone": "x"} for n in range(2)]
    new = {"user_id": "u1", "name": "Ann", "age": 1 << 40, "plan": "pro"}
    settings: dict[str, Any] = {**topics.settings, "format": kind}

    def schema(name: str) -> dict[str, Path]:
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
    profiles = {"json": Json(), "avro": PROFILE, "protobuf": message("Profile"), "msgpack": MessagePack()}[kind]
    topics.send("user_profiles", "u1", encoded(profiles, profile("u1")), at=0)
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
