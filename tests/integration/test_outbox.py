"""The outbox, with a real producer and broker."""

from __future__ import annotations

import asyncio
import os
import signal
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.protocol.produce import ProduceRequest
from driven_app import DEADLINE
from faust.types import TP
from freezing import freeze
from outboxes import outbox_of
from topics import Topics

from streamapp.kafka.pipelining import AT_ONCE, PipeliningProducer
from streamapp.kafka.record import Envelope, Result

#: Enough that requests for each would be more than a broker may have.
PARTITIONS = AT_ONCE + 1


class Arrival:
    """A destination that tells up to which offset the broker has its records."""

    def __init__(self, offsets: asyncio.Queue[int]) -> None:
        self._offsets = offsets

    def delivered(self, results: Sequence[Result], offset: int) -> None:
        self._offsets.put_nowait(offset)

    async def refused(self, result: Result, error: Exception) -> None:
        raise AssertionError(result)


def test_what_the_broker_has_is_forgotten_before_the_next_commit(kafka: Any) -> None:
    topics = Topics(kafka.bootstrap, "outbox", partitions=1)
    topics.create("results")

    async def send() -> None:
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, compression_type="snappy") as producer:
            outbox, offsets = outbox_of(producer), asyncio.Queue[int]()
            to, gone = Arrival(offsets), asyncio.Event()
            outbox.put(TP(f"{topics.prefix}results", 0), [(Envelope(b"k", 0), b"v")] * 3, to)
            kept = weakref.ref(to, lambda _: gone.set())
            del to
            async with asyncio.timeout(DEADLINE):
                assert await offsets.get() == 3
                await gone.wait()
            assert kept() is None
            await outbox.settle()

    asyncio.run(send())


def spy_requests(producer: Any, sent: Callable[[set[int]], None]) -> None:
    """Call with the partitions of each produce request that the producer is about to send."""
    send = producer.client.send

    async def spying(node: int, request: Any, **options: Any) -> Any:
        if isinstance(request, ProduceRequest):
            ((_, partitions),) = request._topics
            sent({partition for partition, _ in partitions})
        return await send(node, request, **options)

    producer.client.send = spying


@pytest.mark.parametrize(("kind", "at_once"), [(PipeliningProducer, AT_ONCE), (AIOKafkaProducer, 1)])
def test_what_is_ready_does_not_wait_for_the_answer_to_other_partitions(
    kafka: Any, kind: type[AIOKafkaProducer], at_once: int
) -> None:
    topics = Topics(kafka.bootstrap, "outbox-pipeline", partitions=PARTITIONS)
    topics.create("results")

    async def send() -> None:
        async with kind(bootstrap_servers=kafka.bootstrap, enable_idempotence=True) as producer:
            outbox, offsets, sent = outbox_of(producer), asyncio.Queue[int](), asyncio.Queue[set[int]]()
            to = Arrival(offsets)

            def put(partition: int) -> None:
                outbox.put(TP(f"{topics.prefix}results", partition), [(Envelope(b"k", 0), b"v")], to)

            async with asyncio.timeout(DEADLINE):
                for partition in range(PARTITIONS):  # the producer knows the partitions' leaders, and its own number
                    put(partition)
                    assert await offsets.get() == 1
                spy_requests(producer, sent.put_nowait)
                freeze(kafka.pid)
                try:
                    for partition in range(at_once):
                        put(partition)
                        assert await sent.get() == {partition}
                    for partition in reversed(range(PARTITIONS)):
                        put(partition)  # its own record batch has no answer yet, or the broker has enough to do
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(sent.get(), 0.5)
                finally:
                    os.kill(kafka.pid, signal.SIGCONT)
                found = sorted([await offsets.get() for _ in range(at_once + PARTITIONS)])
            assert found == sorted([*[2] * PARTITIONS, *[3] * at_once])

    asyncio.run(send())
