"""The feed, with the reader and a real broker."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from driven_app import DEADLINE, ours
from faust.types import TP
from topics import Topics

from streamapp.kafka.reader import Reader
from streamapp.runtime import feed as module
from streamapp.runtime.alignment import Alignment
from streamapp.runtime.feed import Feed, Fetched


async def fetched(reader: Reader, tp: TP) -> None:
    """Wait until records of a partition are there, which nobody has taken."""
    async with asyncio.timeout(DEADLINE):
        while tp not in reader.consumer._fetcher._records:
            await reader.consumer._fetcher._create_fetch_waiter()


def test_what_was_fetched_before_the_feed_ran_waits_for_no_further_fetch(
    kafka: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FEED_CHECK_INTERVAL_S", 10 * DEADLINE)
    topics = Topics(kafka.bootstrap, "feed", partitions=1)
    topics.create("records")
    tp = TP(f"{topics.prefix}records", 0)

    async def main() -> None:
        delivered = asyncio.Queue[Fetched]()
        async with Reader(ours(topics, tmp_path)) as service:
            reader = cast("Reader", service)
            feed = Feed(
                reader,
                Alignment({}),
                max_records=5_000,
                max_bytes=1 << 20,
                current=lambda: True,
                deliver=delivered.put_nowait,
                alive=lambda: None,
            )
            reader.begin({}, {tp: 0})
            feed.want({tp})
            topics.send("records", "key", "value")
            topics.flush()
            await fetched(reader, tp)
            running = asyncio.create_task(feed.run())
            async with asyncio.timeout(DEADLINE):
                first = await delivered.get()
            assert [record.key for record in first.records[tp]] == [b"key"]
            feed.end()
            await running

    asyncio.run(main())
