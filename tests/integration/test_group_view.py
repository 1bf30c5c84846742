"""The whole group in one view, from any worker: who has what, how far behind it is, and what a dead worker leaves."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from topics import Topics
from worker import Worker, wait_until

MONITORING = Path(__file__).parents[2] / "docs" / "monitoring"
USERS = 40
#: Seconds after which the broker takes a killed worker for gone: long enough to look at the group before.
SESSION_TIMEOUT = 10


class Pair(NamedTuple):
    topics: Topics
    one: Worker
    two: Worker


@pytest.fixture(scope="module")
def pair(kafka: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    topics = Topics(kafka.bootstrap, "group")
    topics.create("user_profiles", "user_clicks")
    topics.profiles(range(USERS))
    directory = tmp_path_factory.mktemp("group")
    settings = {**topics.settings, "session_timeout": SESSION_TIMEOUT, "standbys": 1}
    with Worker(directory / "one", **settings) as one, Worker(directory / "two", **settings) as two:
        wait_until(lambda: all(worker.wait_ready().assigned() for worker in (one, two)), "both have partitions")
        topics.clicks(range(USERS), users=USERS)
        yield Pair(topics, one, two)


def group(worker: Worker) -> dict[str, Any]:
    response = worker.get("/api/group")
    assert response.status == 200, response.body
    return dict(response.json())


def caught_up(worker: Worker) -> dict[str, Any] | None:
    """Give the group's view once all partitions are told of, and have nothing left."""
    view = group(worker)
    return view if view["lag"] == 0 and all(one["told"] for one in view["partitions"]) else None


def clicks(view: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in view["partitions"] if one["topic"].endswith("user_clicks")]


def by_member(view: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["member"]: one for one in view["workers"]}


def test_both_workers_show_the_same_group(pair: Pair) -> None:
    topics, one, two = pair
    views = [wait_until(lambda worker=worker: caught_up(worker), "nothing is left") for worker in (one, two)]
    assert {view["state"] for view in views} == {"Stable"}
    for view in views:
        assert {worker["url"] for worker in view["workers"]} == {one.url, two.url}
        assert all(worker["answers"] and worker["ready"] for worker in view["workers"])
        ends = {found["partition"]: found["end"] for found in clicks(view)}
        assert ends == topics.ends("user_clicks")
        assert [found["committed"] for found in clicks(view)] == [*ends.values()]
    owners, others = ({found["partition"]: found["owner"] for found in clicks(view)} for view in views)
    assert owners == others
    for member, worker in by_member(views[0]).items():
        mine = sorted(number for number, owner in owners.items() if owner == member)
        assert worker["assigned"][f"{topics.prefix}user_clicks"] == mine
        (standbys,) = [numbers for topic, numbers in worker["standbys"].items() if topic.endswith("-changelog")]
        assert standbys == sorted(owners.keys() - mine)


def test_top_prints_the_group_where_there_is_no_terminal(pair: Pair) -> None:
    wait_until(lambda: caught_up(pair.one), "nothing is left")
    command = [sys.executable, "-m", "streamapp", "top", "--url", pair.two.url, "--filter", "user_clicks"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    head, _, columns, *rows = ran.stdout.splitlines()
    assert head.startswith(f"{pair.topics.id}: Stable, at_least_once, 2 of 2 workers ready, lag 0")
    assert columns.split()[:3] == ["TOPIC", "PARTITION", "LAG"]
    assert sorted(row.split()[1] for row in rows) == [str(number) for number in range(pair.topics.partitions)]


def test_top_without_a_worker_ends_with_one_line(pair: Pair) -> None:
    command = [sys.executable, "-m", "streamapp", "top", "--once", "--url", "http://127.0.0.1:1"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    (line,) = ran.stderr.splitlines()
    assert (ran.returncode, ran.stdout) == (1, "")
    assert line.startswith("streamapp top: no worker answers at http://127.0.0.1:1: ")
    assert "--worker URL names one" in line


def test_the_history_has_what_all_workers_have(pair: Pair) -> None:
    topics, one, _ = pair
    path = f"/api/group/history?topic={topics.prefix}user_clicks"
    found = wait_until(
        lambda: [one for one in one.get(path).json()["series"] if len(one["at"]) > 1], "there are two samples", 15
    )
    assert {series["partition"] for series in found} <= set(range(topics.partitions))
    (sums,) = [
        series
        for series in one.get("/api/group/history").json()["series"]
        if series["topic"] == f"{topics.prefix}user_clicks"
    ]
    assert max(sums["partitions"]) == topics.partitions
    assert sums["lag"][-1] == 0
    assert one.get("/api/group/history?topic=others").status == 404


def scraped(worker: Worker) -> list[Metric]:
    """Give its metrics, as Prometheus asks for them."""
    response = worker.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    return list(text_string_to_metric_families(response.body.decode()))


def counted(worker: Worker) -> Counter[str]:
    """Give what a worker has counted since its start, by metric and, without its prefix, topic or outcome."""
    found = Counter[str]()
    for family in scraped(worker):
        for sample in family.samples:
            if sample.name.endswith(("_total", "_count")) and set(sample.labels) <= {"topic"}:
                found[f"{sample.name} {sample.labels.get('topic', '').rpartition('.')[2]}".strip()] += int(sample.value)
    return found


def exemplars(worker: Worker) -> list[dict[str, str]]:
    return [one.exemplar.labels for family in scraped(worker) for one in family.samples if one.exemplar]


#: What only an app with windows, and exactly-once, has.
ELSEWHERE = {"streamapp_window_records", "streamapp_window_clock_seconds", "streamapp_transactions_total"}
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}


def test_dashboard_and_alerts_know_no_metric_that_a_worker_has_not(pair: Pair) -> None:
    text = "".join((MONITORING / name).read_text() for name in ("dashboard.json", "alerts.yml"))
    used = {name for name in re.findall(r"\b(?:streamapp|process)_[a-z_]+", text) if not name.endswith("_")}
    there = {one.name + suffix for one in scraped(pair.one) for suffix in SUFFIXES.get(one.type, [""])}
    assert {"streamapp_lag_records", "streamapp_result_latency_seconds_bucket"} <= used
    assert used - ELSEWHERE <= there


def test_an_exemplar_of_the_latency_can_be_explained(pair: Pair) -> None:
    topics, one, _ = pair
    found = wait_until(lambda: [each for each in exemplars(one) if "clicks" in each["topic"]], "there is an exemplar")
    place = found[0]
    (join,) = [each["name"] for each in one.get("/joins/").json() if place["topic"] in each["topics"]]
    answer = one.get(f"/joins/{join}/{place['topic']}/{place['partition']}/{place['offset']}/")
    assert answer.status == 200, answer.body
    assert place["topic"] == f"{topics.prefix}user_clicks"


def test_the_view_from_a_survivor_shows_what_a_killed_worker_leaves(pair: Pair) -> None:
    topics, one, two = pair
    dead = next(member for member, worker in by_member(group(one)).items() if worker["url"] == two.url)
    left = {found["partition"] for found in clicks(group(one)) if found["owner"] == dead}
    before = counted(two)
    two.kill()
    killed = time.time()
    topics.clicks(range(USERS, 2 * USERS), users=USERS)
    view = wait_until(lambda: None if by_member(found := group(one))[dead]["answers"] else found, "it is silent")
    worker = by_member(view)[dead]
    assert (worker["ready"], worker["state"], bool(worker["error"])) == (False, "ready", True)
    assert worker["heard"] < view["at"]
    waiting = [found for found in clicks(view) if found["partition"] in left]
    assert {(found["owner"], found["told"]) for found in waiting} == {(dead, False)}
    assert all(found["lag"] == found["end"] - found["committed"] > 0 for found in waiting)
    silent = one.get(f"/api/group/history?topic={topics.prefix}user_clicks&partition={min(left)}").json()
    assert silent["silent"] == [dead]
    # The survivor may have had the partition before the other one came.
    assert all(at < killed for series in silent["series"] for at in series["at"])

    view = wait_until(lambda: found if dead not in by_member(found := group(one)) else None, "its place is given away")
    view = wait_until(lambda: caught_up(one), "the survivor has all, and is done with it")
    assert {found["owner"] for found in view["partitions"]} == {view["by"]}
    assert {found["partition"]: found["end"] for found in clicks(view)} == topics.ends("user_clicks")
    assert [topic["unowned"] for topic in view["topics"]] == [[], []]

    after = before + counted(one)
    assert after["streamapp_records_read_total user_clicks"] == topics.end("user_clicks")
    for topic in ("joined_data", "unmatched_clicks", "dead_letters"):
        assert after[f"streamapp_results_sent_total {topic}"] == max(0, topics.end(topic))
        assert after[f"streamapp_result_latency_seconds_count {topic}"] == max(0, topics.end(topic))
    assert after["streamapp_commit_seconds_count"] > 0
    assert after["streamapp_commits_failed_total"] == 0
