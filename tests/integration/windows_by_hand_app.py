"""An agent that runs windows by hand, and fails when it sees certain payments: once, or always."""

from __future__ import annotations

import json

from faust.types import StreamT

from streamapp import App, Batch
from streamapp.kafka.record import Envelope
from streamapp.windows import Count, WindowedAggregate, tumbling

app = App(origin="windows_by_hand_app")
payments = app.topic("payments", batches=True)
minutes = app.operators("minutes", WindowedAggregate(windows=tumbling("1m"), aggregates={"n": Count()}), payments)
counts = app.sink("counts")
FAILED: list[object] = []


@app.agent(payments)
async def count(batches: StreamT[Batch]) -> None:
    """Count payments by key and minute."""
    async for batch in batches:
        results = minutes.process(batch)
        told = [(Envelope(b"k", one.timestamp), json.dumps([one.start, one.values]).encode()) for one in results]
        counts.send(batch, told)
        for record in batch:
            fails = json.loads(record.value or b"{}").get("fails")
            if fails == "always" or (fails == "once" and fails not in FAILED):
                FAILED.append(fails)
                raise ValueError("as it was asked to")
