"""Faust's own words do what Faust's documentation says, event by event, on our App."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from topics import Topics
from worker import Worker, wait_until


@pytest.fixture
def topics(kafka) -> Topics:
    return Topics(kafka.bootstrap, "faust-words")


def counted(worker: Worker, table: str, key: str) -> int:
    answer = worker.answers(f"/table/{table}/{key}/")
    return 0 if answer is None else answer.json()


def test_fausts_word_count_counts_words(topics: Topics, tmp_path: Path) -> None:
    with Worker(tmp_path, app="word_count_app", **topics.settings).wait_ready() as worker:
        for word in ("the", "quick", "brown"):
            wait_until(lambda word=word: counted(worker, "word_counts", word) == 1000, f"{word} is counted")
            assert worker.get(f"/count/{word}/").json() == {word: 1000}
        worker.terminate()


def test_fausts_page_views_count_on_after_a_kill(topics: Topics, tmp_path: Path) -> None:
    topics.create("page_views")
    for number in range(100):
        topics.send("page_views", None, {"id": f"p{number % 5}", "user": f"u{number}"})
    topics.flush()
    with Worker(tmp_path, app="page_views_app", **topics.settings).wait_ready() as worker:
        for page in range(5):
            wait_until(lambda page=page: counted(worker, "page_views", f"p{page}") == 20, f"p{page} is counted")
        wait_until(lambda: topics.committed("page_views") == 100, "all is committed")
    for number in range(50):
        topics.send("page_views", None, {"id": f"p{number % 5}", "user": f"u{number}"})
    topics.flush()
    with Worker(tmp_path / "elsewhere", app="page_views_app", **topics.settings).wait_ready() as worker:
        for page in range(5):
            wait_until(lambda page=page: counted(worker, "page_views", f"p{page}") == 30, f"p{page} is counted on")


def doubled(topics: Topics) -> set[tuple[bytes, int]]:
    """Return what is there; the first `ask` of a worker has the group rebalance, so something may be there twice."""
    return {(message.key(), json.loads(message.value())) for message in topics.read("doubled")}


@pytest.mark.parametrize("prefixed", [True, False], ids=["with-prefix", "without"])
def test_agents_ask_cast_group_and_forward(topics: Topics, tmp_path: Path, prefixed: bool) -> None:
    if not prefixed:
        topics.prefix = ""
    topics.create("orders", "doubled", "copies")
    for customer, amount in [("ann", 1), ("bob", 2), ("ann", -1), ("cid", 7), ("ann", 5)]:
        topics.send("orders", None, {"customer": customer, "amount": amount})
    topics.flush()
    with Worker(tmp_path, app="faust_words_app", **topics.settings).wait_ready() as worker:
        expected = {(b"ann", -2), (b"ann", 2), (b"ann", 10), (b"bob", 4), (b"cid", 14)}
        wait_until(lambda: doubled(topics) == expected, "all replies are sent on")
        wait_until(lambda: topics.committed("orders") == 5, "the events are committed")
        assert worker.get("/table/totals/ann/").json() == 5
        wait_until(lambda: worker.answers("/table/totals/cid/", 404), "what an agent was told to forget is gone")
        wait_until(lambda: topics.end("copies") >= 5, "all is forwarded")
        assert sum(worker.get("/window/ann/").json()) == 3
        wait_until(lambda: worker.get("/ticks/").json()["ticks"] > 2, "the timer goes on")


def test_a_command_of_an_app_runs(topics: Topics, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "STREAMAPP_BROKER": topics.bootstrap}
    command = [sys.executable, "-m", "faust", "-A", "faust_words_app", "tell"]
    told = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "told by a command" in told.stdout


def test_a_topic_that_is_read_in_both_ways_stops_the_start_in_one_line(topics: Topics, tmp_path: Path) -> None:
    topics.create("orders")
    (tmp_path / "both_ways.py").write_text(
        "from streamapp import App\n"
        "app = App(origin='both_ways')\n"
        "@app.agent(app.topic('orders', batches=True))\n"
        "async def count(batches):\n"
        "    async for batch in batches: pass\n"
        "@app.agent(app.topic('orders'))\n"
        "async def look(orders):\n"
        "    async for order in orders: pass\n"
    )
    with Worker(tmp_path, app="both_ways", environment={"PYTHONPATH": str(tmp_path)}, **topics.settings) as worker:
        assert wait_until(lambda: worker.exit_code, "it ends") == 1
        line = worker.log.splitlines()[-1]
    assert line == (
        f"streamapp: {topics.prefix}orders is read in batches, by a join or an agent, and event by event, by the agent "
        'both_ways.look: a topic goes to all in one way; have the agent both_ways.look read app.topic("orders", '
        "batches=True), or run it in an app of its own"
    )


def test_with_exactly_once_a_table_of_fausts_counts_each_event_once(topics: Topics, tmp_path: Path) -> None:
    topics.create("clicks")
    settings = {**topics.settings, "processing_guarantee": "exactly_once"}
    sent = 0
    for life in range(3):
        for number in range(4_000):
            topics.send("clicks", f"u{number % 40}", number)
        topics.flush()
        sent += 4_000
        with Worker(tmp_path / f"{life % 2}", app="faust_counts_app", **settings) as worker:
            wait_until(lambda: topics.committed("clicks") > sent - 3_900, "it has begun")  # noqa: B023
            if life == 2:
                wait_until(lambda: topics.committed("clicks") == sent, "all is committed")  # noqa: B023
            worker.kill()
    assert {json.loads(value) for value in topics.table("counts").values()} == {300}
    assert len(topics.table("counts")) == 40
