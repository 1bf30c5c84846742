"""A global table tells of what it cannot use, and outlives whatever happens to its topic."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from ports import free_port
from topics import Topics
from worker import Worker, wait_until

from streamapp.settings import Settings
from streamapp.topology import App, global_table


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "global", partitions=2)
    topics.create("countries", "orders")
    return topics


def order(topics: Topics, number: int, country: str) -> None:
    topics.send("orders", f"o{number}", {"n": number, "in": country})
    topics.flush()


def joined(topics: Topics) -> dict[int, str | None]:
    found = [json.loads(message.value()) for message in topics.read("joined")]
    return {one["left"]["n"]: one["right"] and one["right"]["name"] for one in found}


def aborted(topics: Topics, name: str, key: str, value: Any) -> None:
    """Send a record in a transaction that is aborted."""
    producer = Producer({"bootstrap.servers": topics.bootstrap, "transactional.id": topics.id, "log_level": 0})
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce(topics.prefix + name, key=key, value=json.dumps(value))
    producer.flush(60)
    producer.abort_transaction(60)


def metric(worker: Worker, line: str) -> bool:
    return line in worker.get("/metrics").body.decode()


def problems(worker: Worker) -> list[str]:
    return list(worker.get("/health").json()["problems"])


def test_a_global_table_logs_and_counts_bad_records_and_has_no_aborted_ones(topics: Topics, tmp_path: Path) -> None:
    topics.send("countries", "de", {"name": "Germany"})
    topics.send("countries", None, {"name": "Nowhere"})
    topics.send("countries", "fr", {"name": 33})
    topics.send("countries", "it", b"{nonsense")
    topics.flush()
    aborted(topics, "countries", "de", {"name": "Utopia"})
    order(topics, 1, "de")
    order(topics, 2, "fr")
    settings: dict[str, Any] = {"processing_guarantee": "exactly_once", **topics.settings}
    with Worker(tmp_path, app="global_app", **settings) as worker:
        wait_until(lambda: topics.end("joined") >= 2, "the orders are joined")
        worker.wait_ready()
        countries = f"{topics.prefix}countries"
        for reason, count in (("null_key", 1), ("wrong_type", 2)):
            line = f'streamapp_records_rejected_total{{reason="{reason}",topic="{countries}"}} {count}.0'
            assert metric(worker, line)
        assert metric(worker, f'streamapp_global_table_updates{{account="rejected",topic="{countries}"}} 3.0')
        assert (
            "is left out of the global table, null_key: the record has no key (1 for this reason so far)" in worker.log
        )
        assert "is left out of the global table, wrong_type: " in worker.log
    assert joined(topics) == {1: "Germany", 2: None}


def test_an_empty_topic_is_an_empty_table_and_one_made_anew_is_read_anew(topics: Topics, tmp_path: Path) -> None:
    with Worker(tmp_path, app="global_app", **topics.settings) as worker:
        order(topics, 1, "de")
        wait_until(lambda: topics.end("joined") == 1, "an order is joined with nothing")
        for country in ("de", "fr"):
            topics.send("countries", country, {"name": country.upper()})
        topics.flush()
        wait_until(lambda: metric(worker, f'updates{{account="applied",topic="{topics.prefix}countries"}} 2.0'), "read")
        topics.delete("countries")
        wait_until(lambda: any("is gone: its rows stay as they were" in one for one in problems(worker)), "a problem")
        order(topics, 2, "de")
        wait_until(lambda: topics.end("joined") == 2, "an order is joined with what was there")
        topics.create("countries", partitions=3)
        topics.send("countries", "fr", {"name": "France"})
        topics.flush()
        wait_until(lambda: problems(worker) == [], "the problem is over")
        assert "was made anew: its global table is read again from the beginning" in worker.log
        order(topics, 3, "de")
        order(topics, 4, "fr")
        wait_until(lambda: topics.end("joined") == 4, "orders are joined with what is there now")
    assert joined(topics) == {1: None, 2: "DE", 3: None, 4: "France"}


def test_a_broker_that_is_away_is_a_problem_until_it_is_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(global_table, "ANSWER_S", 0.2)

    async def main() -> None:
        app = App(Settings(broker=f"127.0.0.1:{free_port()}", datadir=tmp_path, store="memory://"), web_enabled=False)
        table = app.topic("countries").global_table()
        async with table:
            async with asyncio.timeout(60):
                while not app.problems():  # noqa: ASYNC110 - nobody is told of a problem
                    await asyncio.sleep(0.05)
            (problem,) = app.problems()
            assert problem.startswith("the global table of countries cannot be read, and is tried again: ")
            assert not table.crashed

    asyncio.run(main())
