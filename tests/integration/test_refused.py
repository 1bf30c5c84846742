"""A record that the broker refuses for good is a dead letter with the broker's word; all others come out once."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from topics import Topics
from worker import Worker, wait_until

GUARANTEES = ["at_least_once", "exactly_once"]
#: Any timestamp, as before Kafka 4, and in Kafka 4 where somebody has set so.
ANY_TIME = {"message.timestamp.after.max.ms": str(2**63 - 1), "message.timestamp.before.max.ms": str(2**63 - 1)}
YEAR_2100 = 4_102_444_800_000
DAY = 86_400_000


def noise(size: int) -> str:
    """Text that cannot be compressed to much less: the broker judges the size of compressed batches."""
    return random.Random(0).randbytes(size).hex()[:size]


def click(number: int, **more: Any) -> dict[str, Any]:
    return {"click_id": f"c{number}", "user_id": "u1", "url": "/", **more}


def letters(topics: Topics) -> list[dict[str, Any]]:
    return [
        {"key": one.key(), "value": one.value(), "at": one.timestamp()[1], **{n: v.decode() for n, v in one.headers()}}
        for one in topics.read("dead_letters")
    ]


def settled(topics: Topics, worker: Worker, name: str, count: int, group: str | None = None) -> None:
    """Wait until so many records are committed."""

    def committed() -> bool:
        assert worker.exit_code is None, "the worker ended"
        return topics.committed(name, group) == count

    wait_until(committed, f"{count} of {name} are committed")


@pytest.mark.parametrize("guarantee", GUARANTEES)
@pytest.mark.parametrize("at", [YEAR_2100, 1_700_000_000_000_000])
def test_a_click_whose_result_has_a_time_that_the_output_refuses_is_a_dead_letter_and_the_others_join_once(
    kafka, tmp_path: Path, guarantee: str, at: int
) -> None:
    topics = Topics(kafka.bootstrap, "future", partitions=1)
    topics.create("user_profiles", "user_clicks", config=ANY_TIME)
    topics.profiles([1])
    for number in range(10):
        topics.send("user_clicks", "u1", click(number), at=at - topics.now if number == 4 else 0)
    topics.flush()
    with Worker(tmp_path, processing_guarantee=guarantee, profile_ttl=0, **topics.settings) as worker:
        settled(topics, worker, "user_clicks", 10)
        topics.clicks(range(10, 20), users=2)
        settled(topics, worker, "user_clicks", 20)
        assert worker.terminate() == 0
    assert topics.joined() == Counter(f"c{number}" for number in range(20) if number != 4 and (number < 10 or number % 2))
    (letter,) = letters(topics)
    assert (letter["reason"], letter["offset"], json.loads(letter["value"])) == ("invalid_timestamp", "4", click(4))
    assert letter["topic"] == topics.prefix + "user_clicks"
    assert f"{topics.prefix}joined_data refuses the result: INVALID_TIMESTAMP: " in letter["error"]
    assert letter["timestamp"] == str(at)
