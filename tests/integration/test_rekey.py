"""Topics that are not keyed by the user id join all the same, by ``STREAMAPP_REKEY``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from topics import Topics
from worker import Worker, wait_until

BOTH = "user_clicks,user_profiles"


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "rekey", partitions=3)
    topics.create("user_clicks", "user_profiles")
    return topics


def joined(topics: Topics) -> dict[int, str | None]:
    """By the clicks' numbers, the names in the profiles that they joined."""
    found = [json.loads(message.value()) for message in topics.read("joined_data")]
    return {one["click"]["n"]: one["profile"]["name"] for one in found}


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_each_click_without_a_key_joins_the_profile_of_its_time_at_a_cold_start(
    topics: Topics, tmp_path: Path, guarantee: str
) -> None:
    """The profiles of a user, and its clicks, are in any partitions; each second a new version, and a click."""
    for second in range(20):
        for user in range(30):
            profile = {"user_id": user, "name": f"{user} at {second}"}
            topics.send("user_profiles", None, profile, at=second * 1_000, partition=(user + second) % 3)
            click = {"user_id": str(user), "n": second * 100 + user}
            topics.send("user_clicks", None, click, at=second * 1_000, partition=(user * 7 + second) % 3)
    topics.flush()
    with Worker(tmp_path, rekey=BOTH, processing_guarantee=guarantee, **topics.settings) as worker:
        wait_until(lambda: topics.end("joined_data") + topics.end("unmatched_clicks") >= 600, "all clicks are joined")
        through = f"{topics.id}-{topics.prefix}user_clicks-by-user_id-repartition"
        assert f"user_clicks: joined by user_id of the value, through {through}" in worker.log
    assert joined(topics) == {
        n: f"{n % 100} at {n // 100}" for second in range(20) for n in range(second * 100, second * 100 + 30)
    }
    assert topics.end("unmatched_clicks") <= 0
