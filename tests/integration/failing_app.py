"""An app whose agent raises on any batch with poison in it."""

from __future__ import annotations

from streamapp.batching.app import App
from streamapp.settings import CLICKS, JOINED, Settings
from streamapp.worker import Worker

app = App(Settings.load(), origin="failing_app", Worker=Worker)
clicks = app.batches(CLICKS)
results = app.output(JOINED)


@app.agent(clicks)
async def fail_on_poison(batches) -> None:
    async for batch in batches:
        if any(b"poison" in record.value for record in batch):
            raise ValueError("there is poison in it")
        results.send(batch, [(record, record.value) for record in batch])
