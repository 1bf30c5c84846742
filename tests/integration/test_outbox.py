"""The outbox with aiokafka's own producer."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

from aiokafka import AIOKafkaProducer
from driven_app import DEADLINE
from faust.types import TP
from topics import Topics

from streamapp.batching.outbox import Outbox
from streamapp.batching.output import Envelope, Result


class Arrival:
    """A destination that tells up to which offset the broker has its records."""

    def __init__(self, offsets: asyncio.Queue[int]) -> None:
        self._offsets = offsets

    def delivered(self, count: int, offset: int) -> None:
        self._offsets.put_nowait(offset)

    async def refused(self, result: Result) -> None:
        raise AssertionError(result)


def test_what_the_broker_has_is_forgotten_before_the_next_commit(kafka: Any) -> None:
    topics = Topics(kafka.bootstrap, "outbox", partitions=1)
    topics.create("results")

    async def send() -> None:
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, compression_type="snappy") as producer:
            outbox, offsets = Outbox(), asyncio.Queue[int]()
            outbox.use(producer)
            to, gone = Arrival(offsets), asyncio.Event()
            outbox.put(TP(f"{topics.prefix}results", 0), [(Envelope(b"k", 0), b"v")] * 3, to)
            kept = weakref.ref(to, lambda _: gone.set())
            del to
            async with asyncio.timeout(DEADLINE):
                assert await offsets.get() == 3
                await gone.wait()
            assert kept() is None
            assert await outbox.settle() == []

    asyncio.run(send())
