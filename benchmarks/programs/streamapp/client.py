"""Produces or consumes a topic with the parts of a worker that do so, and says what that took."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from client_task import (
    ACKS,
    BATCH_BYTES,
    BROKER,
    BYTES,
    COMPRESSION,
    COUNT,
    FETCH_BYTES,
    FETCH_WAIT_MS,
    GROUP,
    IDEMPOTENT,
    LINGER_MS,
    PARTITIONS,
    TAKEN,
    TOPIC,
    VALUES,
    WARM_TOPIC,
    WORK,
    Clock,
    messages,
)

from streamapp.kafka import fetching
from streamapp.kafka.partition import TP
from streamapp.kafka.pipelining import PipeliningProducer
from streamapp.kafka.reader import Reader
from streamapp.kafka.record import Envelope, Result
from streamapp.kafka.refusals import RecordRefusedError
from streamapp.runtime.alignment import Alignment
from streamapp.runtime.feed import Feed, Fetched
from streamapp.runtime.outbox import Outbox
from streamapp.runtime.patience import Patience
from streamapp.runtime.problems import Problems
from streamapp.settings import Settings
from streamapp.worker.app import App

#: Bytes of values that are taken of a partition at once, at most one record batch more.
TAKEN_BYTES = 1 << 20

clock = Clock()


class Topics:
    """Topics that are there, and find every event time good."""

    async def partition_count(self, topic: str) -> int:
        return PARTITIONS

    async def missing(self, partitions: Collection[TP]) -> set[str]:
        return set()

    def look(self, topic: str, first: int | None, last: int | None) -> None:
        pass


class Arrivals:
    """Counts what the broker has."""

    count = 0

    def delivered(self, results: Sequence[Result], offset: int) -> None:
        self.count += len(results)

    async def refused(self, result: Result, error: RecordRefusedError) -> None:
        raise error


class Sender:
    """A producer with an outbox, as a worker has them."""

    def __init__(self, linger_ms: int) -> None:
        self.producer = PipeliningProducer(
            bootstrap_servers=BROKER,
            compression_type=COMPRESSION,
            linger_ms=linger_ms,
            max_batch_size=BATCH_BYTES,
            enable_idempotence=IDEMPOTENT,
            acks=ACKS,
        )
        self.arrivals, self._numbers = Arrivals(), itertools.cycle(range(PARTITIONS))
        topics = Topics()
        self._outbox = Outbox(Patience(Problems()), topics, topics)
        self._outbox.use(self.producer)

    async def send(self, values: Sequence[bytes]) -> None:
        """Send messages without a key, to one partition after the other, once there is room for them."""
        results = [(Envelope(None, None), value) for value in values]
        self._outbox.put(TP(TOPIC, next(self._numbers)), results, self.arrivals)
        await self._outbox.room()
        await asyncio.sleep(0)  # what is full is sent

    async def settle(self) -> None:
        """Wait until the broker has all, as before a commit."""
        self._outbox.cut(self.producer)
        await self._outbox.settle()


async def produce() -> None:
    sender = Sender(LINGER_MS)
    async with sender.producer:
        await send_alone(sender, VALUES[0])
        clock.start()
        values = messages()
        while batch := list(itertools.islice(values, TAKEN)):
            await sender.send(batch)
        await sender.settle()
        done = sender.arrivals.count - 1
        clock.stop(done, done * BYTES)


async def one_by_one() -> None:
    sender = Sender(0)
    async with sender.producer:
        await send_alone(sender, VALUES[0])
        clock.start()
        for value in messages():
            await send_alone(sender, value)
        done = sender.arrivals.count - 1
        clock.stop(done, done * BYTES)


async def connect_each_time() -> None:
    await connect_and_send(VALUES[0])
    clock.start()
    done = sum([await connect_and_send(value) for value in messages()])
    clock.stop(done, done * BYTES)


async def connect_and_send(value: bytes) -> int:
    sender = Sender(0)
    async with sender.producer:
        await send_alone(sender, value)
    return sender.arrivals.count


async def send_alone(sender: Sender, value: bytes) -> None:
    await sender.send([value])
    await sender.settle()


class Consumer:
    """A reader with a feed, and a consumer of the group, which only commits: as a worker has them."""

    def __init__(self, reader: Reader, group: AIOKafkaConsumer) -> None:
        self._reader, self._group = reader, group

    async def read(self, partitions: set[TP], wanted: int) -> tuple[int, int]:
        """Read so many messages, and commit; return how many there were, and the bytes of their values."""
        arrived = asyncio.Queue[Fetched]()
        feed = Feed(
            self._reader,
            Alignment({}),
            max_records=TAKEN,
            max_bytes=TAKEN_BYTES,
            current=lambda: True,
            deliver=arrived.put_nowait,
            alive=lambda: None,
        )
        self._reader.begin({}, dict.fromkeys(partitions, 0))
        feed.want(partitions)
        running = asyncio.create_task(feed.run())
        count = size = 0
        positions: dict[TP, int] = {}
        while count < wanted:
            fetched = await arrived.get()
            positions |= fetched.positions
            for records in fetched.records.values():
                count += len(records)
                size += sum([len(record.value or b"") for record in records])
            feed.want(set(fetched.records))
        await self._group.commit({TopicPartition(*tp): offset for tp, offset in positions.items()})
        feed.end()
        await running
        return count, size


async def consume() -> None:
    fetching.FETCH_MAX_WAIT_MS = FETCH_WAIT_MS  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as datadir:
        app = App(Settings(broker=BROKER, datadir=Path(datadir), store="memory://", buffer=FETCH_BYTES))
        group = AIOKafkaConsumer(bootstrap_servers=BROKER, group_id=GROUP, enable_auto_commit=False)
        async with Reader(app) as reader, group:
            first, others = {TP(WARM_TOPIC, 0)}, {TP(TOPIC, number) for number in range(PARTITIONS)}
            group.assign([TopicPartition(*tp) for tp in first | others])
            group.pause(*group.assignment())
            consumer = Consumer(reader, group)
            await consumer.read(first, 1)
            clock.start()
            clock.stop(*await consumer.read(others, COUNT))


asyncio.run({"produce": produce, "consume": consume, "one by one": one_by_one, "connect": connect_each_time}[WORK]())
