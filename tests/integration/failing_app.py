"""An app whose agent raises on any batch with poison in it: before or, if it is late poison, after its work."""

from __future__ import annotations

from streamapp.pipelines.clicks.settings import CLICKS, JOINED
from streamapp.settings import Settings
from streamapp.worker.app import App
from streamapp.worker.process import Worker

app = App(Settings.load(), origin="failing_app", Worker=Worker)
clicks = app.topic(CLICKS, batches=True)
results = app.sink(JOINED)


@app.agent(clicks)
async def fail_on_poison(batches) -> None:
    async for batch in batches:
        if b"poison" in batch.values:
            raise ValueError("there is poison in it")
        results.send(batch, [(record, record.value) for record in batch])
        if b"late poison" in batch.values:
            raise ValueError("there is late poison in it")
