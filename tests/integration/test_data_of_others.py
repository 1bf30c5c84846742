"""Records as others write them join, and of those that do not it is said why, and what would help."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from topics import Topics
from worker import Worker, wait_until

WIRE = b"\x00" + struct.pack(">i", 12)
AVRO = WIRE + b"\x04u1"
STRUCTURED = [("content-type", b"application/cloudevents+json; charset=utf-8")]
EVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "click"}


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "others", partitions=2)
    topics.create("user_profiles", "user_clicks")
    return topics


def event(**data: Any) -> dict[str, Any]:
    return {**EVENT, **data}


def letters(topics: Topics) -> list[tuple[str, str]]:
    """Reason and error of each dead letter, in the order of their offsets in the input."""
    found = [{name: value.decode() for name, value in one.headers()} for one in topics.read("dead_letters")]
    found.sort(key=lambda one: (one["topic"], int(one["offset"])))
    return [(one["reason"], one["error"]) for one in found]


CLICKS: list[tuple[bytes, Any, list[tuple[str, Any]] | None]] = [
    (b"u1", {"user_id": "u1", "page_url": "/", "timestamp": 1763000000.25}, None),
    (b"7", {"user_id": 7}, None),
    (b"7", {"user_id": "7"}, [("content-type", None)]),
    (b"u1", {"user_id": "u1"}, [("content-type", b"Application/vnd.shop.click+JSON; v=1")]),
    (b"u1", {"user_id": "u1"}, [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("content-type", b"application/json")]),
    (b"u1", event(data={"user_id": "u1"}), STRUCTURED),
    (b"7", event(data_base64=base64.b64encode(b'{"user_id":7}').decode()), STRUCTURED),
    (b"u1", b'{"user_id":"other","in":{"user_id":1},"user\\u005fid":"u1"}', None),
]


def test_any_json_object_with_a_user_id_joins_also_as_a_cloudevent(topics: Topics, tmp_path: Path) -> None:
    topics.send("user_profiles", b"u1", event(data={"user_id": "u1"}), headers=STRUCTURED)
    topics.send("user_profiles", b"7", {"user_id": 7, "balance": -0.5})
    for key, value, headers in CLICKS:
        topics.send("user_clicks", key, value, headers=headers, at=1)
    topics.flush()
    with Worker(tmp_path, **topics.settings) as worker:
        wait_until(lambda: topics.end("joined_data") == len(CLICKS), "all clicks are joined")
        assert worker.wait_ready().get("/table/user_profiles/7/").json() == {"user_id": 7, "balance": -0.5}
    results = topics.read("joined_data")
    found = [json.loads(result.value()) for result in results]
    profiles = {b"u1": event(data={"user_id": "u1"}), b"7": {"user_id": 7, "balance": -0.5}}
    assert all(one["profile"] == profiles[result.key()] for one, result in zip(found, results, strict=True))
    clicks = [json.loads(value) if isinstance(value, bytes) else value for _, value, _ in CLICKS]
    assert all(one["click"] in clicks for one in found)
    types = {value for result in results for name, value in result.headers() or [] if name == "content-type"}
    assert STRUCTURED[0][1] not in types  # a result is no CloudEvent
    assert topics.end("dead_letters") == 0


def test_a_key_that_does_not_fit_is_told_with_what_it_is_and_the_setting_that_helps(
    topics: Topics, tmp_path: Path
) -> None:
    for key, user in (
        (None, "u1"),
        (b'"u1"', "u1"),
        (struct.pack(">q", 7), 7),
        (AVRO, "u1"),
        (b"17", "u1"),
    ):
        topics.send("user_clicks", key, {"user_id": user, "order": 17}, partition=0)
    topics.send("user_clicks", b"u1", AVRO, partition=0)
    topics.send("user_profiles", None, {"user_id": "u1"}, partition=0)
    topics.flush()
    with Worker(tmp_path, **topics.settings) as worker:
        wait_until(lambda: topics.end("dead_letters") == 7, "all are rejected")
        said = worker.log
    helps = "STREAMAPP_REKEY=user_clicks goes by the user_id in the value instead"
    assert letters(topics) == [
        ("null_key", f"the record has no key: {helps}"),
        ("key_mismatch", f"""the key b'"u1"' is the user_id with JSON quotes: {helps}"""),
        ("key_mismatch", f"the key {struct.pack('>q', 7)!r} is the user_id as an 8-byte integer: {helps}"),
        (
            "key_mismatch",
            f"the key {AVRO!r} is the user_id in Confluent's wire format (schema 12: an Avro string): {helps}",
        ),
        ("key_mismatch", f"the key b'17' is the value's order, not its user_id: {helps}"),
        (
            "not_json",
            "JSON is malformed: invalid character (byte 0); "
            "the value is Avro or Protobuf of a schema registry (schema 12)",
        ),
        ("null_key", f"the record has no key: {helps.replace('clicks', 'profiles')}"),
    ]
    assert f"null_key: the record has no key: {helps} (1 for this reason so far)" in said


KEYS = {
    "quotes": lambda user: b'"%d"' % user,
    "int32": lambda user: struct.pack(">i", user),
    "int64": lambda user: struct.pack(">q", user),
    "avro": lambda user: WIRE + bytes([2 * user]),
    "connect": lambda user: b'{"schema":null,"payload":{"user_id":%d}}' % user,
}


@pytest.mark.parametrize("form", ["quotes", "int64", "connect"])
def test_a_tombstone_deletes_the_profile_of_its_key_in_the_form_of_other_keys(
    topics: Topics, tmp_path: Path, form: str
) -> None:
    key = KEYS[form]
    settings: dict[str, Any] = {"rekey": "user_profiles", **topics.settings}

    def table(worker: Worker) -> list[int]:
        worker.wait_ready()
        return [user for user in range(1, 5) if worker.get(f"/table/user_profiles/{user}/").status == 200]

    for user in range(1, 5):
        topics.send("user_profiles", key(user), {"user_id": user})
    topics.send("user_profiles", key(2), None, at=1)
    topics.flush()
    with Worker(tmp_path, **settings) as worker:
        wait_until(lambda: table(worker) == [1, 3, 4], "a profile is deleted")
        assert worker.terminate() == 0
    # After a restart the first record is one.
    topics.send("user_profiles", key(3), None, at=2)
    topics.send("user_profiles", b"\x01\x02\x03", None, at=2)
    topics.send("user_profiles", None, None, at=2)
    topics.flush()
    with Worker(tmp_path, **settings) as worker:
        wait_until(lambda: table(worker) == [1, 4], "another one is deleted")
        wait_until(lambda: topics.end("dead_letters") == 2, "what nobody knows is rejected")
    assert sorted(reason for reason, _ in letters(topics)) == ["null_key", "tombstone"]
    (error,) = (error for reason, error in letters(topics) if reason == "tombstone")
    assert "its key b'\\x01\\x02\\x03' does not tell the user_id: the form of the other keys is" in error


def test_what_a_type_of_the_users_declares_is_demanded(topics: Topics, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "import msgspec\n\nclass Click(msgspec.Struct):\n    user_id: int\n    url: str\n"
    )
    topics.send("user_profiles", b"7", {"user_id": "7"})
    topics.send("user_clicks", b"7", {"user_id": 7, "url": "/"}, at=1)
    topics.send("user_clicks", b"7", {"user_id": 7, "page_url": "/"}, at=1)
    topics.flush()
    with Worker(tmp_path, click_type="shop:Click", **topics.settings):
        wait_until(lambda: topics.end("joined_data") == 1 == topics.end("dead_letters"), "one joins, one does not")
    assert letters(topics) == [("missing_field", "Object missing required field `url`")]
    with Worker(tmp_path, click_type="shop:Clack", **topics.settings) as worker:
        wait_until(lambda: worker.exit_code == 1, "the worker ends")
        assert "streamapp: STREAMAPP_CLICK_TYPE=shop:Clack cannot be imported" in worker.log
