"""A topology of six steps, filter, rekey, process, join, map and sink, killed amid its work: nothing is lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from commit_steps import OFFSETS, STEPS
from ports import free_port
from topics import Topics
from worker import Worker, wait_until

USERS = 7
#: Of one part; those before and after a kill.
ORDERS = 150
#: A worker that is killed comes back as the same member of the group.
PORT = free_port()


def part(topics: Topics, number: int) -> None:
    """Send orders that are newer than those of the parts before."""
    for order in range(number * ORDERS, (number + 1) * ORDERS):
        value = {"order": order, "user": f"u{order % USERS}", "amount": order % 4}
        topics.send("orders", f"o{order}", value, at=order)
    topics.flush()


def expected(parts: int) -> list[tuple[int, int, int, str]]:
    """Return order, place among the user's, sum, and name, as they are to be."""
    counts, totals, found = Counter[int](), Counter[int](), []
    for order in range(parts * ORDERS):
        if order % 4:
            user = order % USERS
            counts[user] += 1
            totals[user] += order % 4
            found.append((order, counts[user], totals[user], f"user {user}"))
    return found


def results(topics: Topics) -> list[tuple[int, int, int, str]]:
    values: Iterable[dict[str, Any]] = (json.loads(message.value()) for message in topics.read("named_orders"))
    return sorted((value["order"], value["nth"], value["total"], value["name"]) for value in values)


@pytest.mark.parametrize(
    ("guarantee", "steps"),
    [("exactly_once", [*STEPS]), ("at_least_once", [OFFSETS, "a changelog has rows", OFFSETS])],
    ids=["exactly_once", "at_least_once"],
)
def test_six_steps_lose_nothing_and_exactly_once_double_nothing_wherever_they_are_killed(
    kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guarantee: str, steps: list[str]
) -> None:
    topics = Topics(kafka.bootstrap, "steps", partitions=2)
    topics.create("orders", "users")
    for user in range(USERS):
        topics.send("users", f"u{user}", {"name": f"user {user}"}, at=-1)
    monkeypatch.setenv("FLOWS", "six_steps")

    def worker() -> Worker:
        return Worker(tmp_path, app="functions_app", processing_guarantee=guarantee, web_port=PORT, **topics.settings)

    for number, step in enumerate(steps):
        part(topics, number)
        monkeypatch.setenv("DIES_AT", step)
        with worker() as dies:
            wait_until(lambda one=dies: one.exit_code is not None, "the worker is killed")
            assert dies.exit_code == -9
    monkeypatch.delenv("DIES_AT")
    part(topics, len(steps))
    whole = expected(len(steps) + 1)
    with worker() as survives:
        survives.wait_ready()
        orders = {order for order, *_ in whole}
        wait_until(lambda: {order for order, *_ in results(topics)} >= orders, "all orders are there")
        if guarantee == "exactly_once":
            wait_until(lambda: topics.committed("orders") == topics.end("orders"), "all is committed")
        assert survives.problems() == []
        assert survives.terminate() == 0
    found = results(topics)
    # At least once, a result may be there twice; but each order has counted once.
    assert (found if guarantee == "exactly_once" else sorted(set(found))) == whole
