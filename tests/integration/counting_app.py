"""An app that counts records: its table has, for each key, how many records with it were read."""

from __future__ import annotations

from collections import Counter

from streamapp import App, Row
from streamapp.pipelines.clicks.settings import CLICKS

# By this heartbeat a worker learns that the group rebalances.
app = App(origin="counting_app", broker_heartbeat_interval=0.2)
increments = app.topic(CLICKS, batches=True)
counts = app.table("counts")


@app.agent(increments)
async def count(batches) -> None:
    async for batch in batches:
        rows, changes = counts.of(batch), {}
        for key, more in Counter(batch.keys).items():
            row = rows.get(key)
            changes[key] = Row(b"%d" % (more + int(row.value if row else 0)), batch.timestamps[-1])
        rows.write(changes)
