"""The stream gives an agent whole batches, and one is done when the agent asks for the next: without a broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.types import TP, Message

from streamapp.kafka.unreadable import Readable
from streamapp.runtime.batch import Batch, BatchSchema
from streamapp.runtime.work import Work
from streamapp.settings import Settings
from streamapp.stores.errors import StoreBehindError, StoreError
from streamapp.worker import stream as module
from streamapp.worker.app import App
from streamapp.worker.stream import Stream
from streamapp.worker.turn import Author

CLICKS, PROFILES = TP("clicks", 0), TP("profiles", 0)


class Checkpoint:
    """In place of what makes work durable: takes note of it."""

    def __init__(self) -> None:
        self.finished: list[tuple[list[int], Work]] = []
        self.failed: list[Exception] = []

    async def finish(self, messages: Sequence[Message], work: Work, generation: int) -> None:
        self.finished.append(([message.offset for message in messages], work))

    def fail(self, error: Exception) -> None:
        self.failed.append(error)


class Fixture:
    """A stream whose app runs, as far as it knows."""

    def __init__(self, tmp_path: Path, *topics: str, **options: Any) -> None:
        self.app = App(Settings(id="shop", datadir=tmp_path, store="memory://"), web_enabled=False)
        consumer: Any = self.app.consumer
        self.consumer = consumer
        self.checkpoint = consumer.checkpoint = Checkpoint()
        self.app.flow_control.resume()
        self.topic = self.app.subscription(*topics, schema=BatchSchema(**options))
        stream: Any = self.app.stream(self.topic)
        self.stream: Stream = stream
        self.batches: AsyncIterator[Batch] = aiter(self.stream)

    async def put(self, batch: Batch, generation: int = 0) -> None:
        """Have a batch wait for the agent."""
        message = batch.message(generation)
        channel: Any = self.stream.channel
        await channel.queue.put(channel._create_event(None, batch, None, message))

    async def next(self) -> list[int]:
        """Ask for the next batch, as the agent does; return its offsets."""
        async with asyncio.timeout(10):
            return [record.offset for record in await anext(self.batches)]

    async def fail(self, error: Exception) -> None:
        """Have the agent raise on the batch that it has, and start anew."""
        await self.stream.failed(error, Author("", "agent"))
        self.batches = aiter(self.stream)


def batch(tp: TP, *offsets: int) -> Batch:
    return Batch(tp, [Readable(offset, offset, 0, b"k", b"v", []) for offset in offsets])


def run(fixture: Callable[[], Fixture], scenario: Callable[[Fixture], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario(fixture())

    asyncio.run(main())


@pytest.fixture
def clicks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Fixture]:
    monkeypatch.setattr(module, "RETRY_BACKOFF_S", 0.0)
    return lambda: Fixture(tmp_path, "clicks")


def test_a_batch_is_done_when_the_agent_asks_for_the_next_one(clicks: Callable[[], Fixture]) -> None:
    async def scenario(fixture: Fixture) -> None:
        await fixture.put(batch(CLICKS, 0, 1))
        await fixture.put(batch(CLICKS, 2))
        assert await fixture.next() == [0, 1]
        assert fixture.checkpoint.finished == []
        assert await fixture.next() == [2]
        assert [offsets for offsets, _ in fixture.checkpoint.finished] == [[1]]

    run(clicks, scenario)


def test_a_batch_that_the_agent_fails_on_comes_again_in_halves(clicks: Callable[[], Fixture]) -> None:
    async def scenario(fixture: Fixture) -> None:
        await fixture.put(batch(CLICKS, 0, 1))
        await fixture.put(batch(CLICKS, 2))
        assert await fixture.next() == [0, 1]
        await fixture.fail(ValueError())
        assert [await fixture.next(), await fixture.next()] == [[0], [1]]
        assert fixture.checkpoint.finished == []
        assert await fixture.next() == [2]
        assert [offsets for offsets, _ in fixture.checkpoint.finished] == [[1]]

    run(clicks, scenario)


def test_a_lost_connection_is_no_fault_of_the_records(clicks: Callable[[], Fixture]) -> None:
    async def scenario(fixture: Fixture) -> None:
        await fixture.put(batch(CLICKS, 0, 1))
        for _ in range(5):
            assert await fixture.next() == [0, 1]
            await fixture.fail(ConnectionResetError())

    run(clicks, scenario)


def test_a_batch_of_an_earlier_generation_is_not_given(clicks: Callable[[], Fixture]) -> None:
    async def scenario(fixture: Fixture) -> None:
        await fixture.put(batch(CLICKS, 0))
        fixture.app.consumer_generation_id = 1
        await fixture.put(batch(CLICKS, 0), generation=1)
        await fixture.put(batch(CLICKS, 1), generation=1)
        assert [await fixture.next(), await fixture.next()] == [[0], [1]]
        assert [offsets for offsets, _ in fixture.checkpoint.finished] == [[0]]

    run(clicks, scenario)


def test_the_rest_of_a_batch_whose_partition_goes_is_not_given(clicks: Callable[[], Fixture]) -> None:
    async def scenario(fixture: Fixture) -> None:
        await fixture.put(batch(CLICKS, 0, 1))
        await fixture.next()
        await fixture.fail(ValueError())
        fixture.app.consumer_generation_id = 1
        await fixture.put(batch(CLICKS, 7), generation=1)
        assert await fixture.next() == [7]
        assert fixture.checkpoint.finished == []

    run(clicks, scenario)


def test_a_store_that_cannot_be_used_stops_the_worker(clicks: Callable[[], Fixture]) -> None:
    async def scenario(fixture: Fixture) -> None:
        await fixture.put(batch(CLICKS, 0))
        await fixture.next()
        with pytest.raises(StoreError, match="damaged"):
            await fixture.fail(StoreError("damaged"))

    run(clicks, scenario)


def test_a_store_that_is_behind_has_the_work_done_again(clicks: Callable[[], Fixture]) -> None:
    async def scenario(fixture: Fixture) -> None:
        await fixture.put(batch(CLICKS, 0))
        await fixture.next()
        error = StoreBehindError()
        await fixture.fail(error)
        assert fixture.checkpoint.failed == [error]
        assert not fixture.consumer._unacked_messages

    run(clicks, scenario)


def test_the_batches_of_a_round_are_merged_by_event_time(tmp_path: Path) -> None:
    async def scenario(fixture: Fixture) -> None:
        both = [batch(CLICKS, 1, 3), batch(PROFILES, 0, 2)]
        for one in both:
            one.round = frozenset((CLICKS, PROFILES))
            await fixture.put(one)
        assert await fixture.next() == [0, 1, 2, 3]

    run(lambda: Fixture(tmp_path, "profiles", "clicks", merged=True), scenario)


def test_a_tick_comes_for_each_partition_of_which_nothing_waits(tmp_path: Path) -> None:
    async def scenario(fixture: Fixture) -> None:
        fixture.app.tables.actives_ready = True
        fixture.consumer.assignment = lambda: {CLICKS, TP("clicks", 1)}
        fixture.consumer.alignment.lane(CLICKS).working = True
        tick = await anext(fixture.batches)
        assert (tick.partition, len(tick)) == (1, 0)

    run(lambda: Fixture(tmp_path, "clicks", merged=True, tick=0.01), scenario)


class FailingStream(Stream):
    """Says of each failure of its agent that the worker is to stop."""

    batched = True

    async def failed(self, error: Exception, _: Author) -> None:
        raise error


def test_what_no_other_try_mends_stops_the_worker(tmp_path: Path) -> None:
    crashed: list[BaseException] = []

    async def scenario(fixture: Fixture) -> None:
        async def crash(reason: BaseException) -> None:
            crashed.append(reason)

        fixture.app.crash = crash  # type: ignore[method-assign]

        @fixture.app.agent(fixture.topic)
        async def work(_: Any) -> None:
            raise StoreError("damaged")

        topic: Any = fixture.topic
        stream, agent = FailingStream(topic, app=fixture.app), cast(Any, work)
        await agent._tried_again(agent.fun(stream), stream, SimpleNamespace(stream=stream))
        assert [str(error) for error in crashed] == ["damaged"]

    run(lambda: Fixture(tmp_path, "clicks"), scenario)
