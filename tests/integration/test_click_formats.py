"""The click app on topics of other formats: results have the bytes of both sides, or what these are translated to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from topics import Topics
from worker import Worker, wait_until

from streamapp.formats import Avro, Format, MessagePack, Protobuf

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
}
AT = 1_700_000_000_000


def click(number: int, user: str) -> dict[str, Any]:
    return {"click_id": f"c{number}", "user_id": user, "url": "/é", "timestamp": AT}


def profile(user: str) -> dict[str, Any]:
    return {"user_id": user, "name": "Ann", "country": "NZ", "plan": "free"}


def encoded(format_: Format, value: object) -> bytes:
    return format_.from_json(json.dumps(value).encode())


@pytest.mark.parametrize("case", CASES)
def test_clicks_join_in_other_formats(case: str, kafka, tmp_path: Path) -> None:
    settings, clicks, profiles, joined = CASES[case]
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
    with Worker(tmp_path, join="left", **topics.settings, **settings) as worker:
        wait_until(lambda: topics.end("joined_data") == 4, "all are joined")
        wait_until(lambda: topics.end("dead_letters") == 2, "two cannot be used")
        row = worker.get("/table/user_profiles/u1/").json()
        wait_until(lambda: topics.end("unmatched_clicks") == 1, "one has no profile")
    found = [json.loads(joined.to_json(message.value())) for message in topics.read("joined_data")]
    assert row == profile("u1")
    for one in found:
        assert one.pop("join_timestamp") > AT / 1000
    expected = [{"click": click(n, "u1"), "profile": profile("u1")} for n in range(3)]
    expected.append({"click": click(9, "u2"), "profile": None})
    assert sorted(found, key=lambda one: one["click"]["click_id"]) == expected
    reasons = sorted(dict(message.headers())["reason"] for message in topics.read("dead_letters"))
    assert reasons == [b"key_mismatch", b"not_" + settings["format"].encode()]
