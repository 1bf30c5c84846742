"""The consumer hands out what is fetched, and commits up to where the agents are done: without a broker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP, Message

from streamapp.formats.undecodable import Reason
from streamapp.kafka.lease import Lease
from streamapp.kafka.unreadable import Readable, Unreadable
from streamapp.runtime.alignment import Alignment, Arrangement, groups
from streamapp.runtime.batch import Batch
from streamapp.runtime.feed import Fetched
from streamapp.runtime.work import Work
from streamapp.settings import Settings
from streamapp.worker import consumer as consumer_module
from streamapp.worker.app import App
from streamapp.worker.consumer import Consumer

CLICKS, OTHERS, EVENTS = TP("clicks", 0), TP("clicks", 1), TP("events", 0)


SESSION_TIMEOUT_S = 6.0


class Thread:
    """In place of the thread that is in the group: its commits are answered, or not."""

    def __init__(self) -> None:
        self.lease = Lease()
        self.commits: list[Mapping[Any, Any]] = []
        self.answers = True
        self.aiokafka = SimpleNamespace(commit=self.commit)

    async def commit(self, offsets: Mapping[Any, Any]) -> None:
        if not self.answers:
            await asyncio.Event().wait()
        self.commits.append({TP(*tp): committed.offset for tp, committed in offsets.items()})

    async def call_thread(self, fun: Callable[..., Awaitable[None]], *args: Any) -> None:
        await fun(*args)


class Checkpoint:
    """In place of what makes work durable: commits at once."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self.rejected: list[tuple[int, Reason]] = []
        self.ended = False

    async def finish(self, messages: Sequence[Message], work: Work, generation: int) -> None:
        self.rejected += [(one.record.offset, one.reason) for one in work.rejected]

    async def commit(self) -> bool:
        await self._consumer.commit_offsets(self._consumer.finished())
        return True

    def end(self) -> None:
        self.ended = True


class Fixture:
    """A consumer that has partitions, and what it gives to the agents."""

    def __init__(self, tmp_path: Path, session_timeout_s: float) -> None:
        settings = Settings(id="shop", datadir=tmp_path, store="memory://", session_timeout=session_timeout_s)
        self.app = App(settings, web_enabled=False)
        for topic in (self.app.topic("clicks", batches=True), self.app.topic("events")):
            self.app.topics.add(topic)
        consumer: Any = self.app.consumer
        self.consumer = consumer
        self.thread = consumer._thread = Thread()
        self.checkpoint = consumer.checkpoint = Checkpoint(consumer)
        self.given: list[Message] = []
        self._given = asyncio.Condition()
        consumer.callback = self._take
        consumer.reader.end_offset = consumer.reader.end_offsets = lambda *_: {}
        consumer.alignment = Alignment(groups({"clicks": ()}), [CLICKS, OTHERS, EVENTS])
        consumer._arrangement = Arrangement.of(self.app.topics)
        consumer.inputs = frozenset((CLICKS, OTHERS, EVENTS))

    async def _take(self, message: Message) -> None:
        self.given.append(message)
        async with self._given:
            self._given.notify_all()

    def fetch(self, tp: TP, *records: Any) -> None:
        self.consumer.reader.end_offset = lambda _: records[-1].offset + 1
        self.consumer._arrived(self.consumer.generation, Fetched({tp: list(records)}, {}, {}))

    async def give(self, count: int) -> list[Message]:
        """Deliver what is there, until the agents have so many messages."""
        running = [asyncio.ensure_future(task) for task in self._deliveries()]
        async with asyncio.timeout(10), self._given:
            await self._given.wait_for(lambda: len(self.given) >= count)
        for task in running:
            task.cancel()
        for message in self.given:
            message.incref()
            self.consumer.track_message(message)
        return self.given

    def _deliveries(self) -> Iterator[Any]:
        yield self.consumer._deliver_batches.fun(self.consumer)
        yield self.consumer._deliver_single_records.fun(self.consumer)


def record(offset: int) -> Readable:
    return Readable(offset, 1_000 + offset, 0, b"k", b"v", [])


def run(
    tmp_path: Path, scenario: Callable[[Fixture], Awaitable[None]], session_timeout_s: float = SESSION_TIMEOUT_S
) -> None:
    async def main() -> None:
        fixture = Fixture(tmp_path, session_timeout_s)
        conductor: Any = fixture.app.topics
        await conductor._update_indices()
        await scenario(fixture)

    asyncio.run(main())


def test_what_a_fetch_brings_of_a_partition_is_one_message_with_the_last_offset(tmp_path: Path) -> None:
    async def scenario(fixture: Fixture) -> None:
        fixture.fetch(CLICKS, record(5), record(6), record(9))
        (message,) = await fixture.give(1)
        assert (message.offset, message.timestamp) == (9, 1.009)
        assert len(message.value or b"") == 3

    run(tmp_path, scenario)


def test_records_of_other_topics_are_given_one_by_one(tmp_path: Path) -> None:
    async def scenario(fixture: Fixture) -> None:
        fixture.fetch(EVENTS, record(0), record(1))
        assert [message.offset for message in await fixture.give(2)] == [0, 1]

    run(tmp_path, scenario)


def test_a_single_record_that_cannot_be_read_is_rejected_and_committed(tmp_path: Path) -> None:
    async def scenario(fixture: Fixture) -> None:
        bad = Unreadable(0, 1_000, 0, b"k", b"v", [], error="a header is not UTF-8")
        fixture.fetch(EVENTS, bad, record(1))
        (message,) = await fixture.give(1)
        assert message.offset == 1
        assert fixture.checkpoint.rejected == [(0, Reason.HEADER_NOT_UTF8)]
        assert fixture.consumer.finished() == {EVENTS: 1}

    run(tmp_path, scenario)


def test_a_batch_is_committed_once_the_agent_is_done_with_it(tmp_path: Path) -> None:
    async def scenario(fixture: Fixture) -> None:
        fixture.fetch(CLICKS, record(5), record(6))
        (message,) = await fixture.give(1)
        assert fixture.consumer.finished() == {}
        fixture.consumer.acknowledge(message)
        assert fixture.consumer.finished() == {CLICKS: 7}
        assert fixture.app.read["clicks"] == 2

    run(tmp_path, scenario)


def test_a_batch_of_two_agents_is_done_when_both_are(tmp_path: Path) -> None:
    async def scenario(fixture: Fixture) -> None:
        fixture.fetch(CLICKS, record(5))
        (message,) = await fixture.give(1)
        message.incref()
        fixture.consumer.acknowledge(message)
        assert fixture.consumer.finished() == {}
        fixture.consumer.acknowledge(message)
        assert fixture.consumer.finished() == {CLICKS: 6}
        assert fixture.app.read["clicks"] == 1

    run(tmp_path, scenario)


def test_what_is_committed_is_not_committed_again(tmp_path: Path) -> None:
    async def scenario(fixture: Fixture) -> None:
        fixture.fetch(CLICKS, record(5))
        fixture.consumer.acknowledge(*await fixture.give(1))
        await fixture.consumer.commit()
        await fixture.consumer.commit()
        assert fixture.thread.commits == [{CLICKS: 6}]

    run(tmp_path, scenario)


def test_a_batch_of_an_earlier_generation_counts_for_nothing(tmp_path: Path) -> None:
    async def scenario(fixture: Fixture) -> None:
        fixture.fetch(CLICKS, record(5))
        (message,) = await fixture.give(1)
        fixture.app.consumer_generation_id += 1
        fixture.consumer.acknowledge(message)
        assert fixture.consumer.finished() == {}

    run(tmp_path, scenario)


def test_before_partitions_go_the_agents_finish_what_they_have_begun(tmp_path: Path) -> None:
    async def scenario(fixture: Fixture) -> None:
        fixture.fetch(CLICKS, record(5))
        (message,) = await fixture.give(1)
        fixture.fetch(CLICKS, record(6))
        emptied = asyncio.create_task(fixture.consumer.wait_empty())
        await asyncio.sleep(0)
        assert fixture.thread.commits == []
        fixture.consumer.acknowledge(message)
        await emptied
        assert fixture.thread.commits == [{CLICKS: 6}]
        assert (fixture.checkpoint.ended, fixture.app.held) == (True, 0)

    run(tmp_path, scenario)


def test_an_agent_that_takes_too_long_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_module, "FINISH_WITHIN_SESSION", 0.0)

    async def scenario(fixture: Fixture) -> None:
        fixture.fetch(CLICKS, record(5))
        await fixture.give(1)
        await fixture.consumer.wait_empty()
        assert (fixture.thread.commits, fixture.checkpoint.ended) == ([], True)

    run(tmp_path, scenario)


def test_a_broker_that_does_not_answer_a_commit_fails_it(tmp_path: Path) -> None:
    async def scenario(fixture: Fixture) -> None:
        fixture.thread.answers = False
        with pytest.raises(TimeoutError):
            await fixture.consumer.commit_offsets({CLICKS: 6})
        assert fixture.consumer.alignment.lane(CLICKS).committed is None

    run(tmp_path, scenario, session_timeout_s=0.01)


def test_a_partition_is_wanted_again_once_its_batch_has_gone(tmp_path: Path) -> None:
    wanted: list[set[TP]] = []

    async def scenario(fixture: Fixture) -> None:
        consumer = fixture.consumer
        consumer._feed = SimpleNamespace(want=lambda tps: wanted.append(set(tps)))
        consumer._active_partitions = {CLICKS}
        consumer._want()
        consumer._want()
        fixture.fetch(CLICKS, record(5))
        consumer._want()
        assert wanted == [{CLICKS}]  # one is at hand
        await fixture.give(1)
        assert wanted == [{CLICKS}, {CLICKS}]

    run(tmp_path, scenario)


def test_a_batch_has_the_records_of_its_partition_only(tmp_path: Path) -> None:
    async def scenario(fixture: Fixture) -> None:
        fixture.fetch(CLICKS, record(5))
        fixture.fetch(OTHERS, record(8))
        batches: list[Batch] = [message.value for message in await fixture.give(2)]  # type: ignore[misc]
        assert {(batch.tp, len(batch)) for batch in batches} == {(CLICKS, 1), (OTHERS, 1)}

    run(tmp_path, scenario)
