"""What is declared of windows: where results go and what they look like, what can be looked at, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from topics import Topics
from windowed import accounts
from worker import Worker, wait_until

MINUTE = 60_000
#: An hour that is over.
HOUR = (int(time.time()) // 3600 - 2) * 60 * MINUTE


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "declared", partitions=2)
    topics.create("payments", "names")
    topics.now = HOUR
    return topics


def pay(topics: Topics, at: int, amount: object = 1, ip: str | None = "10.0.0.1") -> None:
    topics.send("payments", "ann", {"ip": ip, "amount": amount}, at=at)
    topics.flush()


def run(topics: Topics, directory: Path) -> Worker:
    return Worker(directory, app="declared_windows_app", **topics.settings)


def values(topics: Topics, name: str) -> list[Any]:
    return [json.loads(message.value()) for message in topics.read(name)]


def test_results_go_on_into_windows_and_joins_in_the_partitions_of_their_keys(topics: Topics, tmp_path: Path) -> None:
    topics.send("names", "10.0.0.1", {"name": "office"}, at=0)
    for at in (0, MINUTE - 1, MINUTE, 3 * MINUTE):
        pay(topics, at, amount=10)
    with run(topics, tmp_path):
        wait_until(lambda: topics.end("ip_minutes") == 2, "two minutes are over")
        wait_until(lambda: topics.end("ip_hours") == 2, "the hour has been told twice")
        wait_until(lambda: topics.end("named") == 2, "they are joined")
    first, second = topics.read("ip_minutes")
    assert json.loads(first.value()) == {
        "key": "10.0.0.1",
        "start": HOUR,
        "end": HOUR + MINUTE,
        "n": 2,
        "total": 20,
    }
    assert first.key() == second.key() == b"10.0.0.1"
    # That of the latest record of the window.
    assert [first.timestamp()[1], second.timestamp()[1]] == [HOUR + MINUTE - 1, HOUR + MINUTE]
    assert [(hour["most"], hour["total"]) for hour in values(topics, "ip_hours")] == [(1, 20), (2, 30)]
    assert [named["right"] for named in values(topics, "named")] == [{"name": "office"}] * 2
    partitions = {message.partition() for name in ("ip_minutes", "ip_hours", "named") for message in topics.read(name)}
    assert len(partitions) == 1


def test_updates_and_final_results_are_marked_and_bounds_may_be_headers(topics: Topics, tmp_path: Path) -> None:
    pay(topics, 70_000)
    pay(topics, 95_000)
    pay(topics, 75_000)  # of the window that begins at 30 s, which is over at 90 s, and of that at 60 s
    with run(topics, tmp_path):
        wait_until(lambda: topics.end("partly_late") == 1, "the last one is partly late")
        wait_until(lambda: topics.end("hops") == 6, "there are results")
    found = [
        (int(dict(message.headers())["window_start"]) - HOUR, json.loads(message.value()))
        for message in topics.read("hops")
    ]
    assert found == [
        (30_000, {"final": False, "n": 1}),
        (60_000, {"final": False, "n": 1}),
        (60_000, {"final": False, "n": 2}),
        (90_000, {"final": False, "n": 1}),
        (30_000, {"final": True, "n": 1}),
        (60_000, {"final": False, "n": 3}),
    ]
    (message,) = topics.read("partly_late")
    headers = dict(message.headers())
    assert (headers["reason"], headers["late_by_ms"]) == (b"partly_late", b"20000")


def test_a_session_that_becomes_longer_takes_back_what_was_told_of_it(topics: Topics, tmp_path: Path) -> None:
    pay(topics, 0)
    pay(topics, 5_000)
    with run(topics, tmp_path):
        wait_until(lambda: topics.end("sessions") == 3, "there are results")
    assert values(topics, "sessions") == [
        [HOUR, HOUR, [1]],
        [HOUR, HOUR, None],
        [HOUR, HOUR + 5_000, [2]],
    ]


def test_open_windows_are_looked_at_by_key_and_start_until_they_are_closed(topics: Topics, tmp_path: Path) -> None:
    pay(topics, 1_000, amount=2)
    pay(topics, MINUTE, amount=3)
    one, other = (
        {"key": "10.0.0.1", "start": HOUR + at, "end": HOUR + at + MINUTE, "n": 1, "total": total}
        for at, total in ((0, 2), (MINUTE, 3))
    )
    with run(topics, tmp_path) as worker:
        worker.wait_ready()
        path = "/table/ip_minutes/10.0.0.1/"
        wait_until(lambda: accounts(worker, "ip_minutes")["received"] == 2, "both are counted")
        assert worker.get(path).json() == worker.get("/table/ip_minutes/?key=10.0.0.1").json() == [one, other]
        found = worker.get(f"{path}?start={HOUR}")
        assert (found.json(), found.headers["X-Event-Time"]) == (one, str(HOUR + 1_000))
        missing = worker.get(f"{path}?start={HOUR + 1}")
        assert missing.status == 404
        assert worker.get("/table/ip_minutes/10.0.0.2/").json()["error"] == "no window of this key is open"
        assert {"ip_minutes", "ip_hours", "hops", "visits"} <= {one["name"] for one in worker.get("/table/").json()}
        pay(topics, 90_000)
        wait_until(lambda: len(worker.get(path).json()) == 1, "the first minute is over, and gone")
    assert values(topics, "ip_minutes") == [one]


def test_what_became_of_a_record_is_explained_in_words_of_windows(topics: Topics, tmp_path: Path) -> None:
    for at, amount in ((0, 1), (5_000, "much"), (200_000, 1), (1_000, 1)):
        pay(topics, at, amount=amount)
    hops = f"{topics.prefix}payments"
    through = f"{topics.id}-{hops}-by-ip-repartition"
    with run(topics, tmp_path) as worker:
        worker.wait_ready()
        wait_until(lambda: accounts(worker, "ip_minutes")["received"] == 4, "all are counted")
        wait_until(lambda: topics.end("late") == 1, "the last one is late")
        partition = topics.read(through, full_name=True)[0].partition()
        told = [
            worker.get(f"/joins/ip_minutes/{through}/{partition}/{offset}/").json()[0]["because"] for offset in range(4)
        ]
        (answer,) = worker.get(f"/joins/ip_minutes/{through}/{partition}/2/").json()
    assert "it counted in the window " in told[0]
    assert told[1].startswith("it was refused; ")
    assert "it counts in the window " in told[2]
    assert "ms after the grace of 10,000 ms, when the window " in told[3]
    assert (answer["join"], answer["side"], answer["verdict"]) == ("ip_minutes", "stream", "pending")
    assert answer["windows"] == [[HOUR + 3 * MINUTE, HOUR + 4 * MINUTE]]


def test_windows_close_by_the_wall_clock_when_nothing_comes(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDLE_TIMEOUT", "1s")
    monkeypatch.setenv("SIZE", "5s")
    pay(topics, 0)
    with run(topics, tmp_path):
        wait_until(lambda: topics.end("ip_minutes") == 1, "the window is closed")


def test_other_windows_are_refused_and_another_aggregate_of_the_name_too_each_in_one_line(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay(topics, 0)
    with run(topics, tmp_path) as worker:
        worker.wait_ready()
        wait_until(lambda: accounts(worker, "ip_minutes")["received"] == 1, "it is counted")
        assert worker.terminate() == 0
    for variable, value, told in (
        ("SIZE", "5m", "the window ip_minutes cannot go on with its state: its windows are others: size 1m → 5m"),
        ("FIELD", "n", 'total is Sum("amount") there, and not Sum("n"): give the new one another name'),
    ):
        with monkeypatch.context() as patched:
            patched.setenv(variable, value)
            with run(topics, tmp_path) as worker:
                wait_until(lambda worker=worker: worker.exit_code is not None, "the worker ends")
                assert worker.exit_code != 0
                *_, line = [line for line in worker.log.splitlines() if line.startswith("streamapp: ")]
                assert told in line


def test_a_reset_knows_the_topics_of_windows(topics: Topics, tmp_path: Path) -> None:
    pay(topics, 0)
    with run(topics, tmp_path) as worker:
        worker.wait_ready()
        wait_until(lambda: accounts(worker, "ip_minutes")["received"] == 1, "it is counted")
        assert worker.terminate() == 0
    environment = {"PATH": "", "PYTHONPATH": str(Path(__file__).parent)} | {
        f"STREAMAPP_{name.upper()}": str(value) for name, value in topics.settings.items()
    }
    done = subprocess.run(
        [sys.executable, "-m", "streamapp", "-A", "declared_windows_app", "reset"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert f"{topics.id}-ip_minutes-changelog" in done.stdout
    assert f"{topics.id}-{topics.prefix}payments-by-ip-repartition" in done.stdout
