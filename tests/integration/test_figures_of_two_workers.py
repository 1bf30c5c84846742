"""What two workers tell of a join and of windows adds up to what was sent, also of partitions that have come back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ports import free_port
from topics import Topics
from worker import Worker, wait_until

USERS = 20
NAMES = ("named", "minutes")
#: Seconds after which the broker takes a killed worker for gone.
SESSION_TIMEOUT = 10
PARTITIONS = set(range(4))


def funnels(worker: Worker) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in worker.get("/api/funnels").json()}


def received(workers: Sequence[Worker]) -> Counter[str]:
    """Sum up what the joins of some workers have received."""
    return sum(
        (Counter({name: funnels(one)[name]["balance"]["received"] for name in NAMES}) for one in workers), Counter()
    )


def told(worker: Worker) -> set[int]:
    """Give the partitions of the join whose clock a worker tells."""
    return {clock["partition"] for clock in funnels(worker)["named"]["clocks"] if clock["clock"] is not None}


def click(topics: Topics, count: int) -> None:
    for number in range(count):
        topics.send("clicks", f"u{number % USERS}", {"n": number})
    topics.flush()


def all_told(workers: Sequence[Worker], count: int) -> None:
    """Wait until each partition is told by its owner alone, and the sums are those of what was sent."""
    wait_until(lambda: received(workers) == dict.fromkeys(NAMES, count), f"{count} clicks are accounted for")
    parts = [told(worker) for worker in workers]
    assert (set.union(*parts), sum(map(len, parts))) == (PARTITIONS, len(PARTITIONS))
    assert all(one["holds"] for worker in workers for one in funnels(worker).values())


def ready(worker: Worker, partitions: int) -> bool:
    """Tell whether a worker has so many partitions of the clicks, and has recovered them."""
    answer = worker.answers("/health")
    assigned = {} if answer is None else answer.json()["assigned"]
    return sum(len(numbers) for topic, numbers in assigned.items() if topic.endswith("clicks")) == partitions


def held(worker: Worker, name: str) -> Any:
    """Give what a join holds for a key, as a worker tells it, without who told it and when."""
    found = worker.get(f"/api/joins/{name}/u1").json()
    return found["held"], found["windows"], found["at"]["partition"]


@pytest.mark.timeout(600)  # a worker is started three times, and one is taken for gone
def test_figures_add_up_on_two_workers_and_after_partitions_have_gone_and_come_back(kafka: Any, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "figures")
    topics.create("clicks", "profiles")
    settings = {**topics.settings, "session_timeout": SESSION_TIMEOUT, "standbys": 1, "web_port": free_port()}
    for user in range(USERS):
        topics.send("profiles", f"u{user}", {"name": f"user {user}"})
    topics.flush()
    with Worker(tmp_path / "one", app="state_app", **{**settings, "web_port": free_port()}) as one:
        with Worker(tmp_path / "two", app="state_app", **settings) as two:
            wait_until(lambda: ready(one, 2) and ready(two, 2), "both have partitions")
            click(topics, 100)
            all_told([one, two], 100)
            for name in NAMES:
                assert held(one, name) == held(two, name)
            tables = {table["name"]: table for table in one.get("/api/tables").json()}
            owners = {part["partition"]: part["owner"] for part in tables["named"]["partitions"]}
            assert {standby["partition"]: standby["worker"] for standby in tables["named"]["standbys"]} == {
                number: two.url if owner == one.url else one.url for number, owner in owners.items()
            }
            two.kill()
        wait_until(lambda: ready(one, 4), "the survivor has all partitions")
        all_told([one], 100)
        click(topics, 60)
        all_told([one], 160)
        with Worker(tmp_path / "two", app="state_app", **settings) as two:
            wait_until(lambda: ready(one, 2) and ready(two, 2), "both have partitions again")
            all_told([one, two], 160)
            click(topics, 20)
            all_told([one, two], 180)
            assert held(one, "minutes") == held(two, "minutes")
