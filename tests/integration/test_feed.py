"""The feed, with aiokafka's own consumer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from driven_app import DEADLINE
from faust.types import TP
from topics import Topics

from streamapp.batching import feed as module
from streamapp.batching.alignment import Alignment
from streamapp.batching.feed import Feed, Fetched
from streamapp.batching.fetching import Fetching


async def fetched(consumer: Any, tp: TP) -> None:
    """Wait until records of a partition are there, which nobody has taken."""
    async with asyncio.timeout(DEADLINE):
        while tp not in consumer._fetcher._records:
            await consumer._fetcher._create_fetch_waiter()


def test_what_was_fetched_before_the_feed_ran_waits_for_no_further_fetch(
    kafka: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK", 10 * DEADLINE)
    topics = Topics(kafka.bootstrap, "feed", partitions=1)
    topics.create("records")
    tp = TP(f"{topics.prefix}records", 0)

    async def main() -> None:
        delivered = asyncio.Queue[Fetched]()
        async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest") as consumer:
            feed = Feed(
                consumer,
                Fetching(consumer._fetcher),
                Alignment({}),
                max_bytes=1 << 20,
                current=lambda: True,
                deliver=delivered.put_nowait,
            )
            consumer.assign([TopicPartition(*tp)])
            assert not feed.want({tp})
            topics.send("records", "key", "value")
            topics.flush()
            await fetched(consumer, tp)
            running = asyncio.create_task(feed.run())
            async with asyncio.timeout(DEADLINE):
                first = await delivered.get()
            assert [record.key for record in first.records[tp]] == [b"key"]
            feed.end()
            await running

    asyncio.run(main())
