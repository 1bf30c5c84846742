"""Profiles expire in event time, leave the table and its changelog, and are told from those that never were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from topics import Topics
from worker import Worker, wait_until

#: A time (ms, before the topics were named) at which a profile is to have been so old that it is no longer kept.
LONG_AGO = -(300 + 3_600 + 1) * 1_000


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "expiry", partitions=1)
    topics.create("user_profiles", "user_clicks")
    return topics


def reasons(topics: Topics) -> dict[str, str]:
    values = [json.loads(message.value()) for message in topics.read("unmatched_clicks")]
    return {value["click"]["click_id"]: value["reason"] for value in values}


def test_a_click_joins_up_to_the_ttl_and_is_unmatched_after_it(topics: Topics, tmp_path: Path) -> None:
    topics.profiles([0, 1])
    topics.clicks([0], users=2, at=300_000)
    topics.clicks([1], users=2, at=300_001)
    with Worker(tmp_path, **topics.settings):
        wait_until(lambda: topics.end("unmatched_clicks") == 1, "the click after the TTL is unmatched")
    assert topics.joined() == {"c0": 1}
    assert reasons(topics) == {"c1": "expired"}


def test_a_click_without_a_profile_is_unmatched(topics: Topics, tmp_path: Path) -> None:
    topics.clicks([7], users=10)
    with Worker(tmp_path, **topics.settings):
        wait_until(lambda: topics.end("unmatched_clicks") == 1, "the click is unmatched")
    assert reasons(topics) == {"c7": "unmatched"}
    assert topics.end("joined_data") == 0


@pytest.mark.parametrize("store", ["rocksdb://", "memory://"])
def test_the_profile_of_a_user_who_never_clicks_again_leaves_table_and_changelog(
    topics: Topics, tmp_path: Path, store: str
) -> None:
    topics.profiles([1, 2], at=LONG_AGO)
    topics.profiles([3, 4])
    topics.profiles([5], at=-600_000)
    topics.clicks([3], users=10)
    changelog = f"{topics.id}-user_profiles-changelog"
    with Worker(tmp_path, store=store, **topics.settings) as worker:
        wait_until(lambda: topics.end("joined_data") == 1, "the profiles are read, and then the click")
        wait_until(lambda: worker.answers("/table/user_profiles/u1/", 404), "u1 leaves the table")
        assert worker.answers("/table/user_profiles/u2/", 404)
        assert worker.answers("/table/user_profiles/u3/", 200)
        topics.clicks([1, 5], users=10)
        wait_until(lambda: topics.end("unmatched_clicks") == 2, "clicks of profiles that expired are told")
        assert reasons(topics) == {"c1": "unmatched", "c5": "expired"}
    last = {message.key(): message.value() for message in topics.read(changelog, full_name=True)}
    assert (last[b"u1"], last[b"u2"]) == (None, None)
    assert last[b"u3"] is not None


def test_profiles_still_expire_after_a_restart(topics: Topics, tmp_path: Path) -> None:
    topics.profiles([1, 2], at=LONG_AGO)
    with Worker(tmp_path, **topics.settings) as worker:
        wait_until(lambda: worker.answers("/table/user_profiles/u2/", 200), "the profiles are in the table")
        worker.terminate()
    topics.clicks([3], users=10)
    with Worker(tmp_path, **topics.settings) as worker:
        worker.wait_ready()
        wait_until(lambda: worker.answers("/table/user_profiles/u1/", 404), "u1 leaves the table")


def test_profiles_still_expire_after_a_rebalance(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "moved", partitions=4)
    topics.create("user_profiles", "user_clicks")
    topics.profiles(range(40), at=LONG_AGO)
    with Worker(tmp_path / "one", **topics.settings) as one:
        wait_until(lambda: len(topics.table("user_profiles")) == 40, "the profiles are in the table")
        with Worker(tmp_path / "two", **topics.settings) as two:
            two.wait_ready()
            clicks = f"{topics.prefix}user_clicks"
            wait_until(lambda: one.wait_ready().assigned()[clicks] and two.assigned()[clicks], "they share the work")
            topics.clicks(range(100, 140), users=1_000)
            wait_until(lambda: not topics.table("user_profiles"), "all profiles leave the changelog")
            for user in range(40):
                wait_until(lambda u=user: one.answers(f"/table/user_profiles/u{u}/", 404), f"u{user} leaves the table")


def test_with_a_ttl_of_0_profiles_never_expire(topics: Topics, tmp_path: Path) -> None:
    topics.profiles([1])
    topics.clicks([1], users=2, at=3_000_000)
    with Worker(tmp_path, profile_ttl=0, **topics.settings):
        wait_until(lambda: topics.end("joined_data") == 1, "the click joins")


def test_a_left_join_emits_unmatched_clicks_with_a_null_profile_as_well(topics: Topics, tmp_path: Path) -> None:
    topics.profiles([0])
    topics.clicks([0, 1], users=2)
    with Worker(tmp_path, join="left", **topics.settings):
        wait_until(lambda: topics.end("joined_data") == 2, "both clicks are emitted")
    values = {v["click"]["click_id"]: v for v in (json.loads(m.value()) for m in topics.read("joined_data"))}
    assert values["c0"]["profile"] == {"user_id": "u0", "name": "name 0"}
    assert values["c1"]["profile"] is None
    assert reasons(topics) == {"c1": "unmatched"}


def test_a_result_has_the_key_and_the_event_time_of_its_click(topics: Topics, tmp_path: Path) -> None:
    topics.profiles([1])
    topics.clicks([1], users=2, at=1234)
    with Worker(tmp_path, **topics.settings):
        wait_until(lambda: topics.end("joined_data") == 1, "the click joins")
    (message,) = topics.read("joined_data")
    value = json.loads(message.value())
    assert message.key() == b"u1"
    assert message.timestamp()[1] == topics.now + 1234
    assert value["click"] == {"click_id": "c1", "user_id": "u1", "url": "/"}
    assert isinstance(value["join_timestamp"], float)
