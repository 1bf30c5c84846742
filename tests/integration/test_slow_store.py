"""A store that is slower than the agents: what they write waits, and not in ever more memory."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from pathlib import Path
from typing import Any

import pytest
from driven_app import DEADLINE, ours
from topics import Topics
from worker import wait_until

from streamapp.joins import Row

RECORDS, BATCH, ROWS, ROWS_AT_MOST = 1_000, 10, 100, 200


def test_agents_wait_while_a_store_is_at_the_rows_of_a_commit(
    kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamapp.runtime.checkpoint.COMMIT_DUE_ROWS", ROWS)
    monkeypatch.setattr("streamapp.runtime.checkpoint.COMMIT_BLOCKING_ROWS", ROWS_AT_MOST)
    topics = Topics(kafka.bootstrap, "slow-store", partitions=1)
    topics.create("records")
    for number in range(RECORDS):
        topics.send("records", f"{number}", number)
        if number % BATCH == BATCH - 1:
            topics.flush()  # the broker keeps them as one record batch, which no fetch divides

    async def main() -> None:
        app: Any = ours(topics, tmp_path)
        app.settings = dataclasses.replace(app.settings, batch_records=BATCH)
        table, begun, may_write = app.table("rows"), threading.Event(), threading.Event()

        @app.agent(app.topic("records", batches=True))
        async def write(batches: Any) -> None:
            async for batch in batches:
                rows = table.of(batch)
                if not begun.is_set():
                    hold(table.partition(0).committed)
                rows.write({key: Row(b"1", at) for key, at in zip(batch.keys, batch.timestamps, strict=True)})

        def hold(store: Any) -> None:
            store_write = store.write

            def hesitate(changes: Any, offset: int) -> None:
                begun.set()
                assert may_write.wait(DEADLINE)
                store_write(changes, offset)

            store.write = hesitate

        app.loop = asyncio.get_running_loop()
        await app.start()
        try:
            await asyncio.to_thread(wait_until, begun.is_set, "a commit is at the store")
            rows = table.partition(0)
            await asyncio.to_thread(wait_until, lambda: len(rows.fresh) > ROWS_AT_MOST, "as much is written as may be")
            held = app.consumer.alignment.lane(rows.changelog._replace(topic=f"{topics.prefix}records"))
            await asyncio.to_thread(wait_until, lambda: held.waiting, "the next batch has come, and waits")
            assert len(rows.fresh) <= ROWS_AT_MOST + BATCH
            may_write.set()
            await asyncio.to_thread(wait_until, lambda: topics.committed("records") >= RECORDS - ROWS, "all goes on")
        finally:
            may_write.set()
            await app.stop()

    asyncio.run(main())
    assert len(topics.table("rows")) == RECORDS
