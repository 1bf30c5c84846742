"""A broker that hangs: no input is committed before the changelog has what came of it, so a crash loses nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.protocol.produce import ProduceRequest
from driven_app import DEADLINE, MakeApp, ours, stock
from faust.types import TP
from freezing import freeze
from topics import Topics
from worker import Worker, wait_until

from streamapp.embedded_kafka import EmbeddedKafka
from streamapp.joins import Row

#: Far more than what a producer sends before the first answer: the others wait in Faust's own buffer.
ROWS = [b"row-%d" % number for number in range(5_000)]
VALUE = "x" * 100
#: Increments, and the keys they are of in turn.
RECORDS, KEYS = 300_000, 100
#: Seconds for which the broker hangs.
HANGS = 0.5


class Broker:
    """A broker that can be made to hang."""

    def __init__(self, kafka: Any) -> None:
        self.bootstrap = kafka.bootstrap
        self._pid = kafka.pid

    def hang(self) -> None:
        freeze(self._pid)

    def go_on(self) -> None:
        os.kill(self._pid, signal.SIGCONT)


@pytest.fixture
def broker(kafka) -> Iterator[Broker]:
    broker = Broker(kafka)
    yield broker
    broker.go_on()


def write_by_batch(app: Any, _topics: Topics, given: asyncio.Event, may_write: asyncio.Event) -> None:
    """Write the rows for each batch."""
    rows = app.table("rows")

    @app.agent(app.topic("records", batches=True))
    async def write(batches: Any) -> None:
        async for batch in batches:
            given.set()
            await may_write.wait()
            rows.of(batch).write({key: Row(VALUE.encode(), batch.timestamps[-1]) for key in ROWS})


def rows_at_the_commit(make: MakeApp, write: Callable[..., None], broker: Broker, datadir: Path) -> int:
    """Have the broker hang while the rows for a record are written; count those it has when the record is committed."""

    async def main() -> int:
        topics = Topics(broker.bootstrap, make.__name__, partitions=1)
        topics.create("records")
        app: Any = make(topics, datadir / topics.id, broker_commit_interval=HANGS / 10)
        given, may_write = asyncio.Event(), asyncio.Event()
        write(app, topics, given, may_write)
        app.loop = asyncio.get_running_loop()
        await app.start()
        try:
            found = count_at_the_commit(app, TP(f"{topics.id}-rows-changelog", 0))
            topics.send("records", "key", "write the rows")
            topics.flush()
            await asyncio.wait_for(given.wait(), DEADLINE)
            broker.hang()
            may_write.set()
            await asyncio.sleep(HANGS)
            broker.go_on()
            return await asyncio.wait_for(found, DEADLINE)
        finally:
            await app.stop()

    return asyncio.run(main())


def count_at_the_commit(app: Any, changelog: TP) -> asyncio.Future[int]:
    """Give how many records the changelog has when the next commit is about to be sent."""
    aiokafka = app.consumer._thread._consumer
    commit, found = aiokafka.commit, asyncio.get_running_loop().create_future()

    async def count_and_commit(offsets: Any) -> None:
        aiokafka.commit = commit
        ends = await aiokafka.end_offsets([changelog])
        await commit(offsets)
        app.loop.call_soon_threadsafe(found.set_result, ends[changelog])

    aiokafka.commit = count_and_commit
    return found


def test_a_commit_does_not_overtake_the_changelog(broker: Broker, tmp_path: Path) -> None:
    assert rows_at_the_commit(ours, write_by_batch, broker, tmp_path) == len(ROWS)


class Held:
    """Holds back what an aiokafka producer sends, except while somebody waits for its flush to end."""

    def __init__(self, producer: Any) -> None:
        self._send, self._flush = producer.client.send, producer.flush
        producer.client.send, producer.flush = self.send, self.flush
        self.may_go = asyncio.Event()

    async def send(self, node: int, request: Any, **options: Any) -> Any:
        if isinstance(request, ProduceRequest):
            await self.may_go.wait()
        return await self._send(node, request, **options)

    async def flush(self) -> None:
        self.may_go.set()
        await self._flush()
        self.may_go.clear()


def test_a_commit_of_fausts_own_overtakes_the_changelog(kafka, tmp_path: Path) -> None:
    """Faust's flush of the buffer before aiokafka's gives up after 0.1 s without progress (`ProducerBuffer`)."""

    async def main() -> int:
        topics = Topics(kafka.bootstrap, "stock", partitions=1)
        topics.create("records")
        app: Any = stock(topics, tmp_path)
        rows, written = app.Table("rows", key_type=bytes, value_type=str), asyncio.Event()

        @app.agent(app.topic(topics.prefix + "records", value_type=bytes, value_serializer="raw"))
        async def write(stream: Any) -> None:
            async for _ in stream:
                if written.is_set():
                    done_with_the_first.set()
                    continue
                written.set()
                for key in ROWS:
                    rows[key] = VALUE

        done_with_the_first = asyncio.Event()
        app.loop = asyncio.get_running_loop()
        await app.start()
        held = Held(app.producer._producer)
        try:
            found = count_at_the_commit(app, TP(f"{topics.id}-rows-changelog", 0))
            for number in range(2):
                topics.send("records", "key", number)
            topics.flush()
            await asyncio.wait_for(done_with_the_first.wait(), DEADLINE)
            await app.consumer.commit()
            return await asyncio.wait_for(found, DEADLINE)
        finally:
            held.may_go.set()
            await asyncio.to_thread(wait_until, lambda: topics.changes("rows") == len(ROWS), "the changelog has all")
            await app.stop()

    assert asyncio.run(main()) < len(ROWS)


def test_a_worker_that_is_killed_meanwhile_loses_nothing(broker: Broker, tmp_path: Path) -> None:
    topics = Topics(broker.bootstrap, "hanging")
    topics.create("user_clicks", "user_profiles")
    wait_until(lambda: topics.exists("user_clicks"), "the broker tells of the topic")
    producing = threading.Thread(target=send_increments, args=[topics])
    with Worker(tmp_path, app="counting_app", **topics.settings) as worker:
        worker.wait_ready()
        producing.start()
        wait_until(lambda: topics.changes("counts"), "the first counts")
        broker.hang()
        worker.kill()
        broker.go_on()
    with Worker(tmp_path, app="counting_app", web_port=worker.port, **topics.settings) as worker:
        worker.wait_ready()
        producing.join()
        wait_until(lambda: topics.committed("user_clicks") == RECORDS, "all records are committed")
        assert worker.terminate() == 0
    counts = topics.table("counts")
    assert len(counts) == KEYS
    assert min(map(int, counts.values())) >= RECORDS // KEYS  # at least once


def send_increments(topics: Topics) -> None:
    for number in range(RECORDS):
        topics.send("user_clicks", f"k{number % KEYS}", b"+1")
    topics.flush()


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_a_worker_that_is_told_to_stop_meanwhile_ends(broker: Broker, tmp_path: Path, guarantee: str) -> None:
    topics = Topics(broker.bootstrap, f"stopped-{guarantee}")
    topics.create("user_clicks", "user_profiles")
    producing = threading.Thread(target=send_increments, args=[topics])
    with Worker(tmp_path, app="counting_app", processing_guarantee=guarantee, **topics.settings) as worker:
        worker.wait_ready()
        producing.start()
        wait_until(lambda: topics.changes("counts"), "the first counts")
        broker.hang()
        assert worker.terminate() == 0
        broker.go_on()
    producing.join()


def test_a_worker_whose_broker_has_gone_ends_when_it_is_told_to(tmp_path: Path) -> None:
    async def main() -> int:
        async with EmbeddedKafka(tmp_path / "kafka") as kafka:
            topics = Topics(kafka.bootstrap, "gone")
            await asyncio.to_thread(topics.create, "user_clicks", "user_profiles")
            with Worker(tmp_path, app="counting_app", **topics.settings) as worker:
                await asyncio.to_thread(worker.wait_ready)
                os.kill(kafka.pid, signal.SIGKILL)
                return await asyncio.to_thread(worker.terminate)

    assert asyncio.run(main()) == 0
