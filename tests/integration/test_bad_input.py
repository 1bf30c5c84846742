"""Bad input never stops a worker and is never lost: it goes to the dead letters as it came, with the reason."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from topics import Topics
from worker import Worker, wait_until

CLICK: dict[str, Any] = {"click_id": "bad", "user_id": "u1", "url": "/"}
PROFILE = {"user_id": "u1", "name": "one"}
LARGE = 2 << 20
#: Cannot be compressed to less: the broker judges the size of compressed batches.
NOISE = random.Random(0).randbytes(LARGE).hex()[:LARGE].encode()


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "bad")
    topics.create("user_profiles", "user_clicks")
    return topics


def dead_letters(topics: Topics, count: int) -> list[dict[str, Any]]:
    wait_until(lambda: topics.end("dead_letters") >= count, f"{count} dead letters")
    return [
        {"key": message.key(), "value": message.value(), **{name: value.decode() for name, value in message.headers()}}
        for message in topics.read("dead_letters")
    ]


BAD_CLICKS: dict[str, Any] = {
    "not_json": ("u1", b"{nonsense", None),
    "missing_field": ("u1", {"click_id": "bad"}, None),
    "wrong_type": ("u1", {**CLICK, "user_id": True}, None),
    "null_key": (None, CLICK, None),
    "key_mismatch": ("u2", CLICK, None),
    "tombstone": ("u1", None, None),
    "unknown_codec": ("u1", CLICK, [("content-type", b"application/x-nonsense")]),
}
BAD_PROFILES = {
    "not_json": ("u1", b"\xff\xfe", None),
    "missing_field": ("u1", {"name": "one"}, None),
    "wrong_type": ("u1", {"user_id": ["u1"], "name": "one"}, None),
    "null_key": (None, PROFILE, None),
    "key_mismatch": ("u2", PROFILE, None),
    "unknown_codec": ("u1", PROFILE, [("content-type", b"application/x-nonsense")]),
}


@pytest.mark.parametrize(("topic", "bad"), [("user_clicks", BAD_CLICKS), ("user_profiles", BAD_PROFILES)])
def test_each_sort_of_bad_record_is_a_dead_letter_and_the_good_ones_join(
    topics: Topics, tmp_path: Path, topic: str, bad: dict[str, Any]
) -> None:
    topics.profiles(range(10))
    for turn in range(10):
        for key, value, headers in bad.values():
            topics.send(topic, key, value, headers=headers)
        topics.clicks(range(turn * 10, turn * 10 + 10), users=10)
    with Worker(tmp_path, **topics.settings) as worker:
        letters = dead_letters(topics, 10 * len(bad))
        wait_until(lambda: topics.end("joined_data") == 100, "the good clicks join")
        metrics = worker.wait_ready().get("/metrics").body.decode()
    assert Counter(letter["reason"] for letter in letters) == dict.fromkeys(bad, 10)
    for letter in letters:
        key, value, _ = bad[letter["reason"]]
        sent = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
        assert (letter["key"], letter["value"]) == (key and key.encode(), sent)
        assert letter["topic"] == topics.prefix + topic
        assert letter["error"]
    places = {(letter["partition"], letter["offset"]) for letter in letters}
    assert len(places) == len(letters)
    for reason in bad:
        assert f'streamapp_records_rejected_total{{reason="{reason}",topic="{topics.prefix}{topic}"}} 10.0' in metrics


def test_a_tombstone_deletes_the_profile(topics: Topics, tmp_path: Path) -> None:
    topics.profiles([1])
    topics.send("user_profiles", "u1", None)
    topics.flush()
    topics.clicks([1], users=2)
    with Worker(tmp_path, **topics.settings) as worker:
        wait_until(lambda: topics.end("unmatched_clicks") == 1, "the click is unmatched")
        assert worker.wait_ready().get("/table/user_profiles/u1/").status == 404
    assert topics.end("dead_letters") == 0


def test_a_click_of_2_mib_joins(topics: Topics, tmp_path: Path) -> None:
    topics.profiles([1])
    topics.send("user_clicks", "u1", {**CLICK, "referrer": NOISE.decode() * 2})
    topics.flush()
    with Worker(tmp_path, **topics.settings):
        wait_until(lambda: topics.end("joined_data") == 1, "the large click joins")
    assert len(topics.read("joined_data")[0].value()) > LARGE


def test_a_result_that_its_topic_refuses_for_its_size_is_a_dead_letter(topics: Topics, tmp_path: Path) -> None:
    topics.create("joined_data", config={"max.message.bytes": "1000000"})
    topics.profiles([0, 1])
    topics.send("user_clicks", "u1", {**CLICK, "referrer": NOISE.decode() * 2})
    topics.clicks(range(10), users=2)
    with Worker(tmp_path, **topics.settings):
        wait_until(lambda: topics.end("joined_data") == 10, "the small clicks join")
        (letter,) = dead_letters(topics, 1)
    assert letter["reason"] == "too_large"
    assert len(letter["value"]) > LARGE


def test_a_record_that_even_the_dead_letters_refuse_is_told_of_there(topics: Topics, tmp_path: Path) -> None:
    topics.create("dead_letters", config={"max.message.bytes": "1000000"})
    topics.send("user_clicks", "u1", NOISE * 2)
    topics.flush()
    with Worker(tmp_path, **topics.settings):
        (letter,) = dead_letters(topics, 1)
    assert letter["value"] is None
    assert (letter["reason"], letter["value_bytes"]) == ("not_json", str(2 * LARGE))


def test_a_dead_letter_whose_headers_make_it_too_large_goes_without_them(topics: Topics, tmp_path: Path) -> None:
    topics.create("dead_letters", config={"max.message.bytes": "1000000"})
    topics.send("user_clicks", "u1", b"nonsense", headers=[("large", NOISE * 2)])
    topics.flush()
    with Worker(tmp_path, **topics.settings):
        (letter,) = dead_letters(topics, 1)
        wait_until(lambda: topics.committed("user_clicks") == 1, "the click is committed")
    assert (letter["key"], letter["value"], letter["reason"], "large" in letter) == (None, None, "not_json", False)


def test_of_random_records_each_is_joined_unmatched_or_a_dead_letter(topics: Topics, tmp_path: Path) -> None:
    chance = random.Random(0)
    for number in range(3_000):
        good = json.dumps(CLICK | PROFILE | {"click_id": str(number)}).encode()
        place, byte = chance.randrange(len(good)), bytes([chance.randrange(256)])
        value = chance.choice([good, good, good[:place], good[:place] + byte + good[place + 1 :], None])
        key = chance.choice([b"u1", b"u1", b"u1", None, chance.randbytes(3)])
        headers = chance.choice([None, None, [("content-type", None)], [(chance.choice("äz"), chance.randbytes(5))]])
        topics.send("user_profiles" if number % 3 == 0 else "user_clicks", key, value, headers=headers)
    topics.flush()
    with Worker(tmp_path, join="inner", **topics.settings) as worker:
        wait_until(lambda: topics.committed("user_clicks") == 2_000, "all clicks are committed")
        wait_until(lambda: topics.committed("user_profiles") == 1_000, "all profiles are committed")
        assert worker.exit_code is None
    letters = topics.read("dead_letters")
    of_clicks = sum(dict(letter.headers())["topic"].endswith(b"user_clicks") for letter in letters)
    assert 0 < of_clicks == 2_000 - topics.end("joined_data") - topics.end("unmatched_clicks")
    assert {dict(letter.headers())["reason"] for letter in letters}.isdisjoint({b"agent_failed"})


def test_bad_records_cost_no_waiting(topics: Topics, tmp_path: Path) -> None:
    """Stock Faust would wait 5 s for each of these after the first."""
    topics.profiles(range(10))
    for number in range(2_000):
        topics.send("user_clicks", f"u{number % 10}", b"nonsense")
    topics.clicks(range(1_000), users=10)
    with Worker(tmp_path, **topics.settings):
        wait_until(lambda: topics.end("joined_data") == 1_000, "the clicks behind the bad records join")
    assert topics.end("dead_letters") == 2_000
