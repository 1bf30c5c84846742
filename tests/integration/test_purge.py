"""Internal topics keep everything until it was processed, and are purged of it then."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from topics import Topics
from worker import wait_until

from streamapp.formats.fields import Field
from streamapp.runtime import purge
from streamapp.settings import Guarantee, Settings
from streamapp.topology import App
from streamapp.worker.process import prepare


@pytest.mark.parametrize("guarantee", Guarantee)
def test_what_was_processed_is_purged_and_what_was_not_stays(
    kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guarantee: Guarantee
) -> None:
    monkeypatch.setattr(purge, "PURGE_INTERVAL_S", 0.1)
    topics = Topics(kafka.bootstrap, "purged", partitions=1)
    topics.create("orders", "customers")
    for number in range(topics.partitions):
        topics.send("customers", "c", {"customer_id": "c"}, at=50, partition=number)
    for number in range(100):
        topics.send("orders", f"o{number}", {"order": number, "customer_id": f"c{number}"}, at=number)
    topics.flush()
    # Orders that are not older than the last customer wait for another one to come.
    settings = Settings(
        datadir=tmp_path, store="memory://", max_idle=3600, processing_guarantee=guarantee, **topics.settings
    )
    app: Any = App(settings, web_enabled=False, broker_commit_interval=0.1)
    rekeyed = app.topic("orders").rekey(Field("customer_id"), name="customer_id")
    rekeyed.join(app.topic("customers").table(), how="left").to(app.sink("joined"))
    prepare(app)
    everywhere = Topics(kafka.bootstrap, "anywhere", partitions=1)
    everywhere.prefix = ""

    def left() -> list[int]:
        return [json.loads(record.value())["order"] for record in everywhere.read(rekeyed.name)]

    def purged() -> bool:
        return len(topics.read("joined")) == len(left()) == 50

    async def main() -> None:
        app.loop = asyncio.get_running_loop()
        await app.start()
        try:
            await asyncio.to_thread(wait_until, purged, "what was processed is purged")
        finally:
            await app.stop()

    asyncio.run(main())
    assert sorted(left()) == list(range(50, 100))
