"""A record from the future harms no other record: none expires, is late or meets another row for it."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from topics import Topics
from worker import Worker, wait_until

#: What Kafka's own limit of an hour lets through (ms), and what only topics without it do.
AHEAD = 55 * 60_000
YEAR_2100 = 4_102_444_800_000
NO_LIMIT = {"message.timestamp.after.max.ms": str(2**63 - 1)}


def metric(worker: Worker, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", worker.get("/metrics").body.decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def reasons(topics: Topics) -> dict[str, str]:
    values = [json.loads(message.value()) for message in topics.read("unmatched_clicks")]
    return {value["click"]["click_id"]: value["reason"] for value in values}


@pytest.mark.parametrize(
    ("store", "guarantee"), [("rocksdb://", "at_least_once"), ("memory://", "exactly_once")], ids=["rocksdb", "memory"]
)
def test_after_a_click_from_the_future_profiles_stay_and_join_also_after_a_restart(
    kafka, tmp_path: Path, store: str, guarantee: str
) -> None:
    topics = Topics(kafka.bootstrap, "future", partitions=1)
    topics.create("user_profiles", "user_clicks", "joined_data", "unmatched_clicks")
    settings = {"store": store, "processing_guarantee": guarantee, **topics.settings}
    topics.profiles(range(20))
    topics.clicks(range(20), users=20)
    with Worker(tmp_path, **settings) as worker:
        wait_until(lambda: topics.joined().total() == 20, "the clicks join")
        topics.clicks([1000], users=20, at=AHEAD)
        wait_until(lambda: len(reasons(topics)) == 1, "the click from the future is judged by its own time")
        topics.profiles(range(20), at=100)
        wait_until(lambda: topics.committed("user_profiles") == 40, "the profiles anew are committed")
        topics.clicks(range(20, 40), users=20, at=200)
        wait_until(lambda: topics.joined().total() == 40, "the clicks after it join")
        assert all(worker.answers(f"/table/user_profiles/u{user}/") for user in range(20))
        assert metric(worker, f'streamapp_records_ahead_total{{topic="{topics.prefix}user_clicks"}}') == 1
        assert worker.terminate() == 0
        log = worker.log
    assert reasons(topics) == {"c1000": "expired"}
    (line,) = [line for line in log.splitlines() if "ahead of the clock of this host" in line]
    assert re.search(r"user_clicks\[0\]@20 is 3,\d\d\d s ahead .*STREAMAPP_MAX_AHEAD=60", line)
    with Worker(tmp_path, **settings):
        topics.clicks(range(40, 60), users=20, at=300)
        wait_until(lambda: topics.joined().total() == 60, "the clicks after a restart join")
    assert len(topics.table("user_profiles")) == 20


def test_in_a_backlog_with_future_records_each_click_joins_its_times_profile(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "reorder", partitions=2)
    topics.create("user_profiles", "user_clicks")
    topics.profiles(range(1_000, 1_020), at=AHEAD)
    topics.clicks(range(10_000, 10_020), users=20, at=AHEAD)
    for version in range(20):
        topics.profiles(range(100), at=1_000 * version, name=str(version))
        topics.profiles(range(1_000, 1_020), at=AHEAD)
    for version in range(20):
        topics.clicks(range(100 * version, 100 * version + 100), users=100, at=1_000 * version + 500 - version)
        topics.clicks(range(10_020, 10_040), users=20, at=AHEAD)
    with Worker(tmp_path, **topics.settings):
        wait_until(
            lambda: topics.end("joined_data") + topics.end("unmatched_clicks") == 2_420, "all clicks are joined or told"
        )
    for message in topics.read("joined_data"):
        result = json.loads(message.value())
        number = int(result["click"]["click_id"][1:])
        if number < 10_000:
            assert result["profile"]["name"] == f"{number // 100} {number % 100}"
    assert not [click for click in reasons(topics) if int(click[1:]) < 10_000]


JOIN = ["join", "--left", "orders", "--right", "customers", "--on", "customer_id", "--to", "joined"]
KINDS = {
    "windows": ["--how", "left", "--before", "10s", "--after", "10s", "--grace", "1s", "--late", "late"],
    "ttl": ["--ttl", "5m", "--unmatched", "late"],
    "history": ["--history", "10m", "--grace", "100ms", "--unmatched", "late"],
}


class Orders:
    """Orders and customers, of which each order has a customer of its own, a second apart."""

    def __init__(self, bootstrap: str) -> None:
        self.topics = Topics(bootstrap, "orders", partitions=2)
        self.topics.create("orders", "customers", "joined", "late", config=NO_LIMIT)
        self._rounds = itertools.count()

    def send(self, source: str, number: int, at: int) -> None:
        self.topics.send(source, f"c{number}", {"customer_id": f"c{number}", "number": number}, at=at)

    def round(self) -> None:
        """Send ten pairs, and what moves the clocks of both partitions on from them."""
        number = next(self._rounds)
        for place in range(10):
            self.send("customers", 10 * number + place, at=1_000 * number - 100_000)
            self.send("orders", 10 * number + place, at=1_000 * number - 100_000 + place)
        self.topics.flush()

    def poison(self, times: Sequence[int]) -> None:
        """Send records of these times (ms) to all partitions of both topics."""
        for source, event, key in itertools.product(("customers", "orders"), times, "abcdef"):
            self.topics.send(source, key, {"customer_id": key}, at=event - self.topics.now)
        self.topics.flush()

    def pairs(self) -> set[int]:
        values = [json.loads(message.value()) for message in self.topics.read("joined")]
        return {value["left"]["number"] for value in values if value["right"] and "number" in value["left"]}


@pytest.mark.parametrize("kind", KINDS)
def test_after_records_of_the_year_2100_joins_go_on_also_after_a_restart(kafka, tmp_path: Path, kind: str) -> None:
    orders = Orders(kafka.bootstrap)
    topics = orders.topics
    joined = 0
    for restart in range(2):
        with Worker(tmp_path, command=[*JOIN, *KINDS[kind]], **topics.settings) as worker:
            for _ in range(2):
                orders.round()
                orders.poison([YEAR_2100, 1_000 * topics.now])
            orders.round()
            joined += 30 if kind != "history" else 20 + 10 * restart
            wait_until(lambda n=joined: len(orders.pairs()) >= n, f"{joined} orders are joined")
            assert worker.terminate() == 0
    told = [json.loads(message.value()) for message in topics.read("late")]
    assert [value for value in told if "number" in value] == []


def test_a_state_whose_clock_an_earlier_version_let_run_ahead_joins_again(kafka, tmp_path: Path) -> None:
    orders = Orders(kafka.bootstrap)
    topics = orders.topics
    command = [*JOIN, *KINDS["windows"]]
    with Worker(tmp_path, command=command, max_ahead=-1, **topics.settings) as worker:
        orders.round()
        wait_until(lambda: len(orders.pairs()) == 10, "the orders join")
        orders.poison([topics.now + AHEAD])
        orders.round()
        wait_until(lambda: topics.end("late") == 20, "after the poison all are late")
        assert worker.terminate() == 0
    with Worker(tmp_path, command=command, **topics.settings) as worker:
        worker.wait_ready()
        orders.round()
        wait_until(lambda: len(orders.pairs()) == 20, "the next orders join")
        assert "its stored event clock is" in worker.log
    assert topics.end("late") == 20


def test_in_silence_after_a_future_record_the_clock_follows_the_wall_clock(kafka, tmp_path: Path) -> None:
    orders = Orders(kafka.bootstrap)
    topics = orders.topics
    window = ["--how", "left", "--before", "0", "--after", "1s", "--grace", "1s", "--late", "late"]

    def now() -> int:
        return int(time.time() * 1000) - topics.now

    with Worker(tmp_path, command=[*JOIN, *window, "--idle-timeout", "3s"], **topics.settings) as worker:
        worker.wait_ready()
        orders.poison([topics.now + AHEAD])
        for number in range(10):
            orders.send("orders", number, at=now())
        topics.flush()
        wait_until(lambda: topics.end("joined") == 16, "orders without a customer, and poisoned pairs, are told")
        for number in range(10, 20):
            orders.send("orders", number, at=now())
            orders.send("customers", number, at=now())
        topics.flush()
        wait_until(lambda: len(orders.pairs()) == 10, "later orders join")
    assert topics.end("late") == 0
