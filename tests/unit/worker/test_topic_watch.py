"""The topics that a worker reads are looked at: one that is made anew is told, one that has grown stops the worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.types import TP

from streamapp.kafka.topic_metadata import Described
from streamapp.runtime.uncommitted import Uncommitted
from streamapp.settings import Settings
from streamapp.stores.memory import MemoryPartition
from streamapp.stores.standing import Standing
from streamapp.topology import App
from streamapp.worker import topic_watch as module
from streamapp.worker.topic_watch import PartitionsChangedError, TopicWatch

CLICKS = TP("clicks", 0)


class Broker:
    """What the broker tells of topics, by name: their ids and how many partitions they have."""

    def __init__(self) -> None:
        self.topics = {"clicks": ("id-1", 4)}

    async def describe(self, _: object, names: Collection[str]) -> dict[str, Described]:
        return {
            name: Described(id_, dict.fromkeys(range(count), 0), count)
            for name, (id_, count) in self.topics.items()
            if name in names
        }


class Consumer:
    """In place of the worker's consumer: takes note of what it is asked to do."""

    def __init__(self) -> None:
        self.reader: Any = SimpleNamespace(consumer=object(), client=None, fetching=SimpleNamespace(doubtful=set()))
        self.reader.fetching.trust = lambda _: None
        self.positions: Any = SimpleNamespace(ids={"clicks": "id-1"})
        self.inputs = frozenset((CLICKS,))
        self.rejoined = 0

    async def refresh(self) -> None:
        """Nothing is known here that could be old."""

    def rejoin(self) -> None:
        self.rejoined += 1


class Fixture:
    """A watch that is asked to look."""

    def __init__(self, tmp_path: Path, broker: Broker) -> None:
        app = App(Settings(id="shop", datadir=tmp_path, store="memory://"), web_enabled=False)
        self.app = cast(Any, app)
        self.app.topic("clicks", batches=True)
        self.app.partition_counts = {"clicks": 4}
        self.app.crash = self._crash
        self.app.assignor.assigned_actives = lambda: set(self.owned)
        self.broker = broker
        self.consumer = Consumer()
        self.crashed: list[BaseException] = []
        self.owned: list[TP] = []
        self.watch = TopicWatch(app, self.consumer)

    async def _crash(self, reason: BaseException) -> None:
        self.crashed.append(reason)

    async def look(self) -> bool:
        """Look once; return whether the worker may go on."""
        names = {"clicks", *self.app.partition_counts}
        topics = await self.broker.describe(None, names)
        if going_on := await self.watch.passed():
            await self.watch._see({"clicks"}, topics)
        return going_on


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Fixture], Awaitable[None]]], None]:
    broker = Broker()
    monkeypatch.setattr(module, "describe", broker.describe)

    def run(scenario: Callable[[Fixture], Awaitable[None]]) -> None:
        async def main() -> None:
            await scenario(Fixture(tmp_path, broker))

        asyncio.run(main())

    return run


def test_topics_that_are_as_before_change_nothing(run: Callable[..., None]) -> None:
    async def scenario(fixture: Fixture) -> None:
        assert await fixture.look()
        assert (fixture.consumer.rejoined, fixture.app.problems()) == (0, [])

    run(scenario)


def test_a_topic_that_was_made_anew_has_the_group_rebalance_once(run: Callable[..., None]) -> None:
    async def scenario(fixture: Fixture) -> None:
        fixture.broker.topics["clicks"] = ("id-2", 4)
        assert await fixture.look()
        assert await fixture.look()
        assert fixture.consumer.rejoined == 1

    run(scenario)


def test_a_topic_that_is_gone_at_two_looks_is_a_problem_until_it_is_back(run: Callable[..., None]) -> None:
    async def scenario(fixture: Fixture) -> None:
        told = fixture.broker.topics.pop("clicks")
        await fixture.look()
        assert fixture.app.problems() == []
        await fixture.look()
        (problem,) = fixture.app.problems()
        assert problem.startswith("the topic clicks is not there any more")
        fixture.broker.topics["clicks"] = told
        await fixture.look()
        assert (fixture.app.problems(), fixture.consumer.rejoined) == ([], 1)

    run(scenario)


def test_more_partitions_of_a_topic_that_nothing_is_kept_of_are_read(run: Callable[..., None]) -> None:
    async def scenario(fixture: Fixture) -> None:
        fixture.broker.topics["clicks"] = ("id-1", 8)
        assert await fixture.look()
        assert fixture.app.partition_counts == {"clicks": 8}
        assert fixture.crashed == []

    run(scenario)


def test_more_partitions_of_a_joined_topic_stop_the_worker_with_what_to_do(run: Callable[..., None]) -> None:
    async def scenario(fixture: Fixture) -> None:
        fixture.app.topic("clicks").join(fixture.app.topic("profiles").table()).to(fixture.app.sink("joined"))
        fixture.broker.topics["clicks"] = ("id-1", 8)
        assert not await fixture.look()
        (reason,) = fixture.crashed
        assert isinstance(reason, PartitionsChangedError)
        assert "clicks has 8 partitions now, not 4" in str(reason)
        assert "`streamapp reset` starts it anew" in str(reason)

    run(scenario)


def test_a_changelog_that_was_made_anew_is_kept_with_the_rows_that_it_lacks(run: Callable[..., None]) -> None:
    async def scenario(fixture: Fixture) -> None:
        changelog = TP("shop-rows-changelog", 0)
        rows = Uncommitted(MemoryPartition(), changelog)
        rows.committed.stand(Standing("old"))
        fixture.app.table("rows").data.partitions[0] = rows
        fixture.owned.append(changelog)
        fixture.app.partition_counts[changelog.topic] = 4
        fixture.broker.topics[changelog.topic] = ("new", 4)
        await fixture.look()
        assert (rows.committed.standing.successor, fixture.consumer.rejoined) == ("new", 1)

    run(scenario)


def test_a_broker_that_is_away_keeps_nobody_from_going_on(run: Callable[..., None]) -> None:
    async def scenario(fixture: Fixture) -> None:
        fixture.consumer.reader.consumer = None
        assert await fixture.watch.passed()

    run(scenario)
