"""A table that is there for the first time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from driven_app import DEADLINE, ours
from topics import Topics

from streamapp.joins import Row


def test_agents_get_no_record_before_the_broker_tells_of_a_changelog_that_was_just_made(
    kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics = Topics(kafka.bootstrap, "new", partitions=1)
    topics.create("records")
    topics.send("records", "key", 1)
    topics.flush()

    async def main() -> None:
        app: Any = ours(topics, tmp_path)
        rows, written, asked = app.rows("rows"), asyncio.Event(), asyncio.Event()

        @app.agent(app.batches("records"))
        async def write(batches: Any) -> None:
            async for batch in batches:
                rows.of(batch).write({b"key": Row(b"1", batch.timestamps[-1])})
                written.set()

        async def make_later(*_: Any) -> None:
            """Make the changelog when the app is about to subscribe: to the app, the broker is slow to tell of it."""
            asked.set()

        monkeypatch.setattr(rows.changelog_topic, "maybe_declare", make_later)
        app.loop = asyncio.get_running_loop()
        starting = asyncio.create_task(app.start())
        try:
            await asyncio.wait_for(asked.wait(), DEADLINE)
            await asyncio.to_thread(make, topics, f"{topics.id}-rows-changelog")
            await starting
            await asyncio.wait_for(written.wait(), DEADLINE)
        finally:
            await app.stop()

    asyncio.run(main())
    assert topics.table("rows") == {b"key": b"1"}


def make(topics: Topics, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": topics.bootstrap})
    admin.create_topics([NewTopic(topic, topics.partitions, 1)])[topic].result(DEADLINE)
