"""The producer of a worker that processes at least once."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, OutOfOrderSequenceNumber
from driven_app import ours
from topics import Topics
from worker import wait_until

from streamapp.joins import Row


@pytest.mark.parametrize("away", [0, 1], ids=["", "the broker is away at first"])
def test_a_producer_that_has_given_up_is_replaced_and_nothing_is_lost(kafka: Any, tmp_path: Path, away: int) -> None:
    topics = Topics(kafka.bootstrap, "given-up", partitions=1)
    topics.create("records")
    app: Any = ours(topics, tmp_path, broker_commit_interval=0.1)
    rows = app.table("rows")
    made = itertools.count()

    @app.agent(app.topic("records", batches=True))
    async def write(batches: Any) -> None:
        async for batch in batches:
            rows.of(batch).write({record.key: Row(b"value", record.timestamp) for record in batch})

    async def write_rows(count: int) -> None:
        topics.send("records", f"key-{count}", count)
        topics.flush()
        await asyncio.to_thread(
            wait_until, lambda: topics.changes("rows") == count, f"{count} rows are in the changelog"
        )
        await asyncio.to_thread(
            wait_until, lambda: topics.committed("records") == count, f"{count} records are committed"
        )

    async def refuse(*_: Any) -> None:
        raise OutOfOrderSequenceNumber

    def new_producer() -> Any:
        producer = type(app.producer)._new_producer(app.producer)
        if next(made) < away:
            producer.start = unreachable
        return producer

    async def unreachable() -> None:
        raise KafkaConnectionError("Unable to bootstrap")

    async def main() -> None:
        app.loop = asyncio.get_running_loop()
        await app.start()
        try:
            await write_rows(1)
            app.producer._producer._sender._send_produce_req = refuse
            app.producer._new_producer = new_producer
            await write_rows(2)
        finally:
            await app.stop()

    asyncio.run(main())
