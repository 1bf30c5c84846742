"""How far a worker is with the topics of a join: what it has read, and that what it has begun is committed."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streamapp.runtime.alignment import Alignment
from streamapp.worker.progress import Progress

CLICKS, PROFILES = TP("clicks", 0), TP("profiles", 0)


class Consumer:
    """Commits what agents are done with."""

    def __init__(self) -> None:
        self.alignment = Alignment({})
        self.commits: list[int | None] = []

    def go_on(self, tp: TP, committed: int) -> None:
        self.alignment.lane(tp).committed = committed

    def finish(self, tp: TP, offset: int) -> None:
        lane = self.alignment.lane(tp)
        lane.offsets.begin(offset)
        lane.offsets.finish(offset)
        lane.working = False

    async def commit(self) -> bool:
        self.commits.append(self.alignment.lane(CLICKS).offsets.committable)
        return True


def progress_of(consumer: Consumer) -> Progress:
    app: Any = SimpleNamespace(consumer=consumer, batch_consumer=consumer, rebalancing=False)
    return Progress(app, ["clicks", "profiles"])


def test_what_is_read_is_what_agents_are_done_with_committed_or_not() -> None:
    consumer = Consumer()
    consumer.go_on(CLICKS, 4)
    consumer.go_on(PROFILES, 7)
    consumer.finish(CLICKS, 9)
    assert progress_of(consumer).read(0) == {CLICKS: 10, PROFILES: 7}


def test_where_it_goes_on_has_to_be_known() -> None:
    consumer = Consumer()
    consumer.go_on(CLICKS, 4)
    with pytest.raises(KeyError):
        progress_of(consumer).read(0)
    consumer.alignment.lane(PROFILES)
    with pytest.raises(KeyError):
        progress_of(consumer).read(0)


def test_a_batch_that_an_agent_works_on_is_waited_for_before_the_commit() -> None:
    consumer = Consumer()
    consumer.go_on(CLICKS, 4)
    consumer.go_on(PROFILES, 7)
    consumer.alignment.lane(CLICKS).working = True

    async def commit_while_an_agent_works() -> None:
        asyncio.get_running_loop().call_soon(consumer.finish, CLICKS, 9)
        await progress_of(consumer).commit(0)

    asyncio.run(commit_while_an_agent_works())
    assert consumer.commits == [10]


def test_partitions_that_went_away_meanwhile_are_told() -> None:
    consumer = Consumer()
    consumer.go_on(CLICKS, 4)
    consumer.go_on(PROFILES, 7)
    consumer.alignment.lane(CLICKS).working = True

    def rebalance() -> None:
        consumer.finish(CLICKS, 9)
        consumer.alignment = Alignment({})

    async def commit_while_they_go() -> None:
        asyncio.get_running_loop().call_soon(rebalance)
        await progress_of(consumer).commit(0)

    with pytest.raises(KeyError):
        asyncio.run(commit_while_they_go())
