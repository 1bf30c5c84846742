"""An app in the test's own event loop, on Faust's stock transport or on ours.

What is a race in a worker is driven here: the test itself says which record is done when, and what waits for what.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import faust
from topics import Topics

from streamapp.settings import Settings
from streamapp.worker.app import App

__all__ = ["DEADLINE", "Driven", "MakeApp", "either", "ours", "play", "stock"]

T = TypeVar("T")

#: Seconds a test waits for anything: far more than it takes, since a busy machine must not fail a test.
DEADLINE = 60.0
#: Seconds between commits of an app whose test says when to commit.
NEVER = 3600.0

MakeApp = Callable[..., faust.App]


def stock(topics: Topics, datadir: Path, **options: Any) -> faust.App:
    """Make a plain Faust app."""
    return faust.App(
        topics.id,
        broker=f"aiokafka://{topics.bootstrap}",
        consumer_auto_offset_reset="earliest",
        datadir=str(datadir),
        topic_partitions=topics.partitions,
        web_enabled=False,
        **{"broker_commit_interval": NEVER, **options},
    )


def ours(topics: Topics, datadir: Path, **options: Any) -> App:
    """Make an app of ours."""
    return App(
        Settings(datadir=datadir, store="memory://", **topics.settings),
        web_enabled=False,
        **{"broker_commit_interval": NEVER, **options},
    )


class Rebalances(faust.Sensor):
    """Tells when a rebalance has ended and the agents go on."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = asyncio.Event()

    def on_rebalance_end(self, app: Any, state: Any) -> None:
        self.ended.set()


class Driven:
    """A running app with a table and one agent, on the records of the topic ``records``; the test does its acks.

    Args:
        app: not started yet.
        topics: where the app is.
    """

    def __init__(self, app: faust.App, topics: Topics) -> None:
        self.app: Any = app
        self.topics = topics
        self._rebalances = Rebalances()
        self._given: asyncio.Queue[Any] = asyncio.Queue()
        #: Cleared by a test that wants the agent to take no further record, once it has the next one.
        self.greedy = asyncio.Event()
        self.greedy.set()
        app.sensors.add(self._rebalances)
        app.Table("counts")  # so that there is something to recover
        name = "records" if isinstance(app, App) else f"{topics.prefix}records"  # ours has the prefix from its settings
        records = app.topic(name, key_type=bytes, value_type=bytes, value_serializer="raw")

        @app.agent(records)
        async def give(stream: Any) -> None:
            async for event in stream.noack().events():
                self._given.put_nowait(event)
                await self.greedy.wait()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start the app, and stop it at the end."""
        self.app.loop = asyncio.get_running_loop()
        await self.app.start()
        try:
            await self.rebalanced()
            yield
        finally:
            await self.app.stop()

    def send(self, numbers: range) -> None:
        """Send records with these numbers."""
        for number in numbers:
            self.topics.send("records", "key", number)
        self.topics.flush()

    async def take(self, count: int = 1) -> list[Any]:
        """Take so many events of those that the agent was given, in their order."""
        return [await asyncio.wait_for(self._given.get(), DEADLINE) for _ in range(count)]

    async def finish(self, count: int = 1) -> list[int]:
        """Take so many events, be done with them, and give their offsets."""
        events = await self.take(count)
        for event in events:
            event.ack()
        return [event.message.offset for event in events]

    async def commit(self) -> int:
        """Have the app commit, and give the offset that the broker then has for its group (0 = none)."""
        await self.app.consumer.commit()
        return await asyncio.to_thread(self.topics.committed, "records")

    def begin_rebalance(self) -> None:
        """Have the group rebalance, as when a worker joins or leaves it."""
        self._rebalances.ended.clear()
        thread = self.app.consumer._thread
        thread.thread_loop.call_soon_threadsafe(thread._consumer._coordinator.request_rejoin)

    @property
    def goes_on(self) -> bool:
        """Whether the agents go on after the last rebalance that was begun."""
        return self._rebalances.ended.is_set()

    async def rebalanced(self) -> None:
        """Wait until the agents go on after the rebalance."""
        await asyncio.wait_for(self._rebalances.ended.wait(), DEADLINE)

    async def rebalance(self) -> None:
        """Have the group rebalance, and wait until the agents go on."""
        self.begin_rebalance()
        await self.rebalanced()


def play(scenario: Callable[[Driven], Awaitable[T]], make: MakeApp, bootstrap: str, datadir: Path, **options: Any) -> T:
    """Do to an app, which has a topic of one partition, what a test says, and give what comes of it."""
    topics = Topics(bootstrap, make.__name__, partitions=1)
    topics.create("records")

    async def main() -> T:
        driven = Driven(make(topics, datadir / topics.id, **options), topics)
        async with driven.running():
            return await scenario(driven)

    return asyncio.run(main())


async def either(*conditions: Awaitable[Any]) -> None:
    """Wait until one of them has come about."""
    tasks = [asyncio.ensure_future(condition) for condition in conditions]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
