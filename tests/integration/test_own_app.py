"""An app of ten lines of a user's own has all that the app of this repository has."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from topics import Topics
from worker import Worker, wait_until

TOKEN = "a-token-nobody-guesses"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
VISITS = 2_000
OPEN = ["/health", "/health/live", "/health/ready"]
GUARDED = ["/", "/table/", "/table/last_visits/ann/", "/joins/", "/joins/paid/", "/metrics", "/graph/", "/nowhere"]


@pytest.fixture
def topics(kafka) -> Topics:
    return Topics(kafka.bootstrap, "own-app", partitions=2)


def worker(topics: Topics, directory: Path, **settings: object) -> Worker:
    return Worker(directory, app="own_app", **(topics.settings | settings))


@contextmanager
def running(topics: Topics, directory: Path, **settings: object) -> Iterator[Worker]:
    topics.create("orders", "payments", "visits")
    with worker(topics, directory, **settings) as started:
        yield started.wait_ready()


def refusal(topics: Topics, directory: Path, **settings: object) -> str:
    """Return the line in which a start is refused."""
    with worker(topics, directory, **settings) as refused:
        assert wait_until(lambda: refused.exit_code, "it ends") == 1
        assert "Traceback" not in refused.log
        return refused.log.splitlines()[-1]


def visit(topics: Topics, numbers: range) -> None:
    for number in numbers:
        topics.send("visits", f"v{number % 100}", {"visit": number}, at=number)
    topics.flush()


def test_a_misspelt_input_stops_the_start_in_one_line(topics: Topics, tmp_path: Path) -> None:
    topics.create("orders", "paymnets", "visits")
    said = refusal(topics, tmp_path)
    assert said.startswith(f"streamapp: there is no topic {topics.prefix}payments (did you mean {topics.prefix}paymnet")


def test_inputs_with_uneven_partitions_are_refused(topics: Topics, tmp_path: Path) -> None:
    topics.create("orders", "visits")
    topics.partitions = 3
    topics.create("payments")
    said = refusal(topics, tmp_path)
    assert "topics that are joined need equally many partitions" in said
    assert f"{topics.prefix}payments has 3" in said


def test_its_state_its_joins_and_its_metrics_are_shown(topics: Topics, tmp_path: Path) -> None:
    with running(topics, tmp_path) as own:
        assert [topics.exists(name) for name in ("paid", "unpaid", "visited", "dead_letters")] == [True] * 4
        topics.send("orders", "ann", {"order": 1})
        topics.send("payments", "ann", {"amount": 5}, at=1)
        topics.send("visits", "ann", {"visit": 1})
        topics.flush()
        wait_until(lambda: own.answers("/table/last_visits/ann/"), "the row is there")
        assert own.get("/table/last_visits/ann/").json() == {"visit": 1}
        wait_until(lambda: topics.end("paid") == 1, "the pair is sent")
        assert [join["name"] for join in own.get("/joins/").json()] == ["paid"]
        placed = next(message for message in topics.read("orders"))
        path = f"/joins/paid/orders/{placed.partition()}/{placed.offset()}/"
        wait_until(lambda: own.get(path).json()[0]["verdict"] == "matched", "the pair is committed, and explained")
        metrics = own.get("/metrics").body.decode()
        assert re.search(
            r'^streamapp_join_records\{account="matched",join="paid",partition="\d"\} [12]', metrics, re.MULTILINE
        )
        assert own.get("/health").json()["problems"] == []


def test_a_standby_takes_its_partitions_over_without_a_restore(topics: Topics, tmp_path: Path) -> None:
    with running(topics, tmp_path / "one", standbys=1) as one:
        visit(topics, range(VISITS))
        wait_until(lambda: topics.committed("visits") == VISITS, "all is committed")
        with worker(topics, tmp_path / "two", standbys=1) as two:
            wait_until(lambda: "Standby: " in two.wait_ready().log, "the second worker keeps rows of the first")
            assert one.terminate() == 0
            wait_until(lambda: len(two.assigned().get(f"{topics.prefix}visits", ())) == 2, "it has all partitions")
            two.wait_ready()
            assert " 0 changelog records read" in two.log.rpartition("Ready: ")[2]


def test_with_exactly_once_a_kill_doubles_nothing(topics: Topics, tmp_path: Path) -> None:
    with running(topics, tmp_path / "one", processing_guarantee="exactly_once") as one:
        visit(topics, range(VISITS))
        wait_until(lambda: topics.end("visited", isolation="read_uncommitted") > 0, "it has begun")
        one.kill()
    visit(topics, range(VISITS, 2 * VISITS))
    with worker(topics, tmp_path / "two", processing_guarantee="exactly_once"):
        wait_until(lambda: topics.committed("visits") == 2 * VISITS, "all is committed")
    counts = Counter(json.loads(message.value())["visit"] for message in topics.read("visited"))
    assert counts == dict.fromkeys(range(2 * VISITS), 1)


def test_where_others_could_see_it_no_start_is_without_a_token(topics: Topics, tmp_path: Path) -> None:
    topics.create("orders", "payments", "visits")
    said = refusal(topics, tmp_path, web_bind="0.0.0.0")
    assert said.startswith("streamapp: the web views at 0.0.0.0 could be seen from other machines")


def test_all_its_views_but_health_ask_for_the_token(topics: Topics, tmp_path: Path) -> None:
    with running(topics, tmp_path, web_bind="0.0.0.0", web_token=TOKEN) as own:
        assert {path: own.get(path).status for path in OPEN} == dict.fromkeys(OPEN, 200)
        assert {path: own.get(path).status for path in GUARDED} == dict.fromkeys(GUARDED, 401)
        wrong = {"Authorization": "Bearer another-token-of-mine"}
        assert own.get("/table/", headers=wrong).status == 401
        shown = ["/", "/table/", "/joins/", "/joins/paid/", "/metrics", "/graph/"]
        assert {path: own.get(path, headers=BEARER).status for path in shown} == dict.fromkeys(shown, 200)
