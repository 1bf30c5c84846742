"""Functions of streams on a real Kafka: what they give, what of it survives a restart, and what is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from topics import Topics
from worker import Worker, wait_until

HOUR = 3_600_000


@pytest.fixture
def topics(kafka) -> Topics:
    return Topics(kafka.bootstrap, "functions", partitions=2)


def worker(topics: Topics, directory: Path, flow: str, **settings: Any) -> Worker:
    environment = {"FLOWS": flow} | {name: settings.pop(name) for name in ("STATE",) if name in settings}
    return Worker(directory, app="functions_app", environment=environment, **{**topics.settings, **settings})


def values(topics: Topics, name: str) -> list[Any]:
    return [json.loads(message.value()) for message in topics.read(name)]


def headers(message: Any) -> dict[str, str]:
    return {name: content.decode() for name, content in message.headers()}


EXPLAINED = [
    ("processed", "the function was called for it"),
    ("refused", "it was refused; agent_failed: ZeroDivisionError('division by zero')"),
    ("processed", "the function was called for it"),
    ("refused", "it was refused; Input data was truncated; the value is damaged JSON"),
]


def verdict(running: Worker, topics: Topics, name: str, offset: int) -> tuple[str, str]:
    (partition,) = (number for number, end in topics.ends("numbers").items() if end)
    answer = running.get(f"/joins/{name}/{topics.prefix}numbers/{partition}/{offset}/").json()
    (told,) = answer
    return told["verdict"], told["because"]


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_timers_of_both_clocks_survive_a_kill(topics: Topics, tmp_path: Path, guarantee: str) -> None:
    topics.create("beats")
    topics.send("beats", "m1", {"wall": "1h"}, at=-HOUR)
    topics.send("beats", "m1", {"wall": "5s"}, at=-HOUR + 5_000)
    topics.flush()
    with worker(topics, tmp_path, "timers", processing_guarantee=guarantee):
        wait_until(lambda: topics.exists("beats") and topics.committed("beats") == 2, "both are read")
    assert topics.end("silent") == 0
    with worker(topics, tmp_path, "timers", processing_guarantee=guarantee):
        wait_until(
            lambda: values(topics, "silent") == [{"timer": "wall", "machine": "m1", "beats": 2}], "the wall clock"
        )
        topics.send("beats", "m1", {"wall": "1h"}, at=-HOUR + 15_001)
        topics.flush()
        wait_until(lambda: len(values(topics, "silent")) == 2, "the event clock")
        told = topics.read("silent")[1]
    assert json.loads(told.value()) == {"timer": "event", "machine": "m1", "beats": 2}
    assert (told.key(), told.timestamp()[1]) == (b"m1", topics.now - HOUR + 15_000)


def test_a_state_is_forgotten_after_its_ttl_and_what_is_late_has_a_topic(topics: Topics, tmp_path: Path) -> None:
    topics.create("messages")
    with worker(topics, tmp_path, "forgetting").wait_ready() as running:
        for number, hours in enumerate([-5, -5, -3, -3]):
            topics.send("messages", "m", {"n": number}, at=hours * HOUR)
        topics.send("messages", "m", {"n": 4}, at=-5 * HOUR)
        topics.flush()
        wait_until(lambda: topics.end("late_messages") == 1, "the late one is told")
        (late,) = topics.read("late_messages")
        assert running.terminate() == 0
    assert values(topics, "unique") == [{"n": 0}, {"n": 2}]
    assert headers(late)["late_by_ms"] == str(HOUR)
    assert list(topics.table("messages-process")) != []


def test_what_a_function_fails_on_is_a_dead_letter_with_its_traceback(topics: Topics, tmp_path: Path) -> None:
    topics.create("numbers")
    with worker(topics, tmp_path, "failing").wait_ready() as running:
        for number in (1, 0, 2):
            topics.send("numbers", "k", {"n": number})
        topics.send("numbers", "k", b"{")
        topics.flush()
        wait_until(lambda: topics.end("dead_letters") == 4, "both steps have told both")
        wait_until(lambda: topics.end("counted") == 2 and topics.end("inverse") == 2, "the others went on")
        assert running.problems() == []
        assert [verdict(running, topics, "fails", offset) for offset in range(4)] == EXPLAINED
    assert values(topics, "inverse") == [1.0, 0.5]
    assert values(topics, "counted") == [{"of": 1, "state": 1}, {"of": 1, "state": 2}]
    told = [headers(message) for message in topics.read("dead_letters")]
    assert (
        sorted((one["reason"], one["offset"]) for one in told) == [("agent_failed", "1")] * 2 + [("not_json", "3")] * 2
    )
    assert ["in fails" in one["traceback"] for one in told if "traceback" in one] == [True, True]


def test_a_worker_that_is_to_stop_does_so_at_a_record_that_a_function_fails_on(topics: Topics, tmp_path: Path) -> None:
    topics.create("numbers")
    topics.send("numbers", "k", {"n": 0})
    topics.flush()
    with worker(topics, tmp_path, "failing", on_failure="stop") as running:
        wait_until(lambda: running.exit_code is not None, "the worker stops")
        assert running.exit_code != 0
        assert "ZeroDivisionError" in running.log


def test_merged_streams_are_in_the_order_of_their_times_and_can_be_joined(topics: Topics, tmp_path: Path) -> None:
    topics.create("left", "right", "users")
    topics.send("users", "u", {"name": "Ann"}, at=-HOUR)
    for number in range(0, 20, 2):
        topics.send("left", "u", {"n": number}, at=number)
        topics.send("right", "u", {"ns": [number + 1, number + 1]}, at=number + 1)
    topics.flush()
    with worker(topics, tmp_path, "merged"):
        wait_until(lambda: topics.exists("both_named") and topics.end("both_named") == 30, "all are joined")
    expected = [n for n in range(20) for _ in range(1 + n % 2)]
    assert [value["n"] for value in values(topics, "both")] == expected
    assert [message.timestamp()[1] - topics.now for message in topics.read("both")] == expected
    joined = values(topics, "both_named")
    assert [(pair["left"]["n"], pair["right"]["name"]) for pair in joined] == [(n, "Ann") for n in expected]


def test_results_are_joined_and_windowed_again_with_the_same_table_too(topics: Topics, tmp_path: Path) -> None:
    topics.create("clicks", "users")
    topics.send("users", "u", {"name": "Ann"}, at=-HOUR)
    for number in range(3):
        topics.send("clicks", "u", {"n": number}, at=-HOUR + number)
    topics.send("clicks", "v", {"n": 3}, at=-HOUR)
    topics.send("clicks", "u", {"n": 4}, at=0)
    topics.flush()
    with worker(topics, tmp_path, "again") as running:
        wait_until(lambda: topics.exists("busy_minutes") and topics.end("busy_minutes") == 1, "a minute is over")
        wait_until(lambda: topics.end("joined_twice") == 5, "all are joined twice")
        assert "wait no more" not in running.log
    (minute,) = values(topics, "busy_minutes")
    assert (minute["key"], minute["n"]) == ("u", 3)
    (unknown,) = values(topics, "unknown")
    assert unknown == {"n": 3}
    names = [
        (one["left"]["left"]["n"], one["right"] and one["right"]["name"]) for one in values(topics, "joined_twice")
    ]
    assert sorted(names) == [(0, "Ann"), (1, "Ann"), (2, "Ann"), (3, None), (4, "Ann")]


def orders(topics: Topics, numbers: range) -> None:
    for number in numbers:
        topics.send(
            "orders", f"o{number}", {"order": number, "user": f"u{number % 5}", "amount": number % 3}, at=number
        )
    topics.flush()


def test_a_state_goes_on_with_a_type_that_reads_it_and_is_refused_by_another(topics: Topics, tmp_path: Path) -> None:
    topics.create("orders", "users")
    orders(topics, range(30))
    for state, results in (("total", 20), ("counted", 40)):
        with worker(topics, tmp_path, "six_steps", STATE=state) as running:
            wait_until(
                lambda n=results: topics.exists("named_orders") and topics.end("named_orders") == n, "all are sent"
            )
            assert running.terminate() == 0
        orders(topics, range(30, 60))
    assert "goes on with the state of another declaration: state Total" in running.log
    assert max(value["nth"] for value in values(topics, "named_orders")) == 8
    with worker(topics, tmp_path, "six_steps", STATE="other") as refused:
        wait_until(lambda: refused.exit_code is not None, "the worker ends")
        last = refused.log.splitlines()[-1]
    assert "Traceback" not in refused.log.split("goes on with the state", maxsplit=1)[-1]
    assert last.startswith("streamapp: ")
    assert "process" in last
    assert "is not of the type Other: Expected `str`, got `int` - at `$.orders`" in last
