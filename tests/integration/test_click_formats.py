"""The click app on topics of other formats: results have the bytes of both sides, or what these are translated to."""

from __future__ import annotations

import json
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

SCHEMAS = Path(__file__).parents[2] / "streamapp" / "pipelines" / "clicks" / "schemas"
CLICK, PROFILE = Avro(SCHEMAS / "click.avsc"), Avro(SCHEMAS / "profile.avsc")
JOINED_AVRO = Avro(
    {
        "type": "record",
        "name": "Joined",
        "fields": [
            {"name": "click", "type": json.loads((SCHEMAS / "click.avsc").read_text())},
            {"name": "profile", "type": ["null", json.loads((SCHEMAS / "profile.avsc").read_text())]},
            {"name": "join_timestamp", "type": "double"},
        ],
    }
)
PROTO = SCHEMAS / "clicks.proto"


def message(name: str) -> Protobuf:
    return Protobuf(PROTO, name)


#: The settings; clicks, profiles, results and unmatched clicks.
CASES: dict[str, tuple[dict[str, str], Format, Format, Format]] = {
    "protobuf": ({"format": "protobuf"}, message("Click"), message("Profile"), message("Joined")),
    "avro": ({"format": "avro"}, CLICK, PROFILE, JOINED_AVRO),
    "msgpack": ({"format": "msgpack"}, MessagePack(), MessagePack(), MessagePack()),
    "avro and protobuf into avro": (
        {"format": "avro", "profile_format": "protobuf"},
        CLICK,
        message("Profile"),
        JOINED_AVRO,
    ),
    "msgpack and json into protobuf": (
        {"format": "msgpack", "profile_format": "json", "joined_format": "protobuf"},
        MessagePack(),
        Json(),
        message("Joined"),
    ),
    "protobuf and msgpack into json": (
        {"format": "protobuf", "profile_format": "msgpack", "joined_format": "json"},
        message("Click"),
        MessagePack(),
        Json(),
    ),
}
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
    formats, clicks, profiles, joined = CASES[case]
    topics = Topics(kafka.bootstrap, "click-formats", partitions=2)
    topics.create("user_clicks", "user_profiles")
    topics.send("user_profiles", "u1", encoded(profiles, profile("u1")), at=0)
    topics.flush()
    for number in range(3):
        topics.send("user_clicks", "u1", encoded(clicks, click(number, "u1")), at=number)
    topics.send("user_clicks", "u2", encoded(clicks, click(9, "u2")), at=9)
    topics.send("user_clicks", "u1", encoded(clicks, click(10, "u1"))[:-2], at=10)
    topics.send("user_clicks", "u3", encoded(clicks, click(11, "u1")), at=11)
    topics.flush()
    settings: dict[str, Any] = {**topics.settings, **formats, "join": "left"}
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
    assert [one["value"] for one in rows] == [profile("u1")]
    assert exported == [profile("u1")] * 2
    assert {json.loads(one["value"])["click"]["user_id"] for one in joined_shown} == {"u1", "u2"}
    assert json.loads(unmatched["value"]) == {"click": click(9, "u2"), "reason": "unmatched"}
    found = [json.loads(joined.to_json(message.value())) for message in topics.read("joined_data")]
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
    with Worker(tmp_path, **topics.settings, **given, format="avro") as worker:
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
    kinds = {"click": CLICK.parsed, "profile": ["null", now], "join_timestamp": "double"}
    fields = [{"name": name, "type": type_} for name, type_ in kinds.items()]
    of_now = {"type": "record", "name": "Joined", "fields": fields}
    joined = Avro(of_now)
    before = Avro({**of_now, "fields": [fields[0], {"name": "profile", "type": ["null", earlier]}, fields[2]]})
    found: Counter[str] = Counter()
    profile_of: dict[str, object] = {}
    for message_ in topics.read("joined_data"):
        with_now = message_.value().endswith(b"\x08free", 0, -8)
        result = json.loads((joined if with_now else before).to_json(message_.value()))
        found[result["click"]["click_id"]] += 1
        profile_of[result["click"]["click_id"]] = result["profile"]
    assert found == Counter(f"c{number}" for number in range(4_100))
    assert profile_of["c0"] == {"user_id": "u0", "label": "n0", "age": 0}
    assert profile_of["c4000"] == {"user_id": "u0", "name": "n0", "age": 0, "plan": "free"}
