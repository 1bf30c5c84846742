"""An app that counts records: its table has, for each key, how many records with it were read."""

from __future__ import annotations

from collections import Counter
from typing import Any

from streamapp import web
from streamapp.joins import Row
from streamapp.settings import CLICKS, Settings
from streamapp.worker.app import App
from streamapp.worker.process import Worker


class CountingApp(App):
    def __init__(self, settings: Settings) -> None:
        self.metrics = web.Metrics()
        super().__init__(
            settings,
            origin="counting_app",
            Worker=Worker,
            broker_heartbeat_interval=0.2,  # by which a worker learns that the group rebalances
            **web.options(self.metrics, settings.web_token),
        )

    def on_webserver_init(self, _web: Any) -> None:
        web.mount(self)


app = CountingApp(Settings.load())
increments = app.batches(CLICKS)
counts = app.rows("counts")


@app.agent(increments)
async def count(batches) -> None:
    async for batch in batches:
        rows, changes = counts.of(batch), {}
        for key, more in Counter(batch.keys).items():
            row = rows.get(key)
            changes[key] = Row(b"%d" % (more + int(row.value if row else 0)), batch.timestamps[-1])
        rows.write(changes)
