"""A table that is there for the first time."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest
from aiokafka.cluster import ClusterMetadata
from driven_app import DEADLINE, ours
from topics import Topics

from streamapp.joins import Row


def test_agents_get_no_record_before_a_new_changelog_is_known_to_the_broker(
    kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics = Topics(kafka.bootstrap, "new", partitions=1)
    topics.create("records")
    topics.send("records", "key", 1)
    topics.flush()
    changelog, answers, update = f"{topics.id}-rows-changelog", itertools.count(), ClusterMetadata.update_metadata

    def tells_late(self: Any, metadata: Any) -> Any:
        """Leave the changelog out of the first answers, as a broker does that has not heard of it yet."""
        if any(changelog in topic for topic in metadata.topics) and next(answers) < 2:
            metadata.topics = [topic for topic in metadata.topics if changelog not in topic]
        return update(self, metadata)

    async def main() -> None:
        app: Any = ours(topics, tmp_path)
        rows, written = app.table("rows"), asyncio.Event()

        @app.agent(app.topic("records", batches=True))
        async def write(batches: Any) -> None:
            async for batch in batches:
                rows.of(batch).write({b"key": Row(b"1", batch.timestamps[-1])})
                written.set()

        app.loop = asyncio.get_running_loop()
        await app.start()
        try:
            await asyncio.wait_for(written.wait(), DEADLINE)
        finally:
            await app.stop()

    monkeypatch.setattr(ClusterMetadata, "update_metadata", tells_late)
    asyncio.run(main())
    assert topics.table("rows") == {b"key": b"1"}
