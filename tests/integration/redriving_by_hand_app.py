"""An app whose agents do by hand what redriven records are a part of: windows, and what follows a hop; and fail.

There is poison for the agent of one of two joins, too.
"""

from __future__ import annotations

import msgspec
from faust.types import StreamT

from streamapp import App, Batch
from streamapp.joins import Joined
from streamapp.topology.sink import json_value
from streamapp.windows import Count, Enrichment, Feature, WindowedAggregate, tumbling

app = App(origin="redriving_by_hand_app")
payments = app.topic("payments", batches=True)
hop = app.hop(payments, "card")
minutes = app.operators("minutes", WindowedAggregate(windows=tumbling(100), aggregates={"n": Count()}), payments)
cards = app.operators("cards", Enrichment(features={"n": Feature(Count(), 100)}), hop.topic)
counts, seen, noted = app.sink("counts"), app.sink("seen"), app.sink("noted")
orders, rates = app.topic("orders"), app.topic("rates")
encode = msgspec.json.Encoder().encode


def without_poison(joined: Joined) -> bytes | None:
    """Return the value of a result, if it can be."""
    value = json_value(joined)
    if value is not None and b"poison" in value:
        raise ValueError("there is poison in it")
    return value


orders.join(rates.table(), how="left", name="strict").to("strict.joined", value=without_poison)
orders.join(rates.table(), how="left", name="lenient").to("lenient.joined")


@app.agent(payments)
async def count(batches: StreamT[Batch]) -> None:
    """Count payments by window, and hand them on to their cards."""
    async for batch in batches:
        if any(b"poison" in (value or b"") for value in batch.values):
            raise ValueError("there is poison in it")
        counts.send(batch, [(stamp, encode(result.values)) for result, stamp in minutes.stamped(batch)])
        hop.send(batch, [(b"card", record, record.value or b"") for record in batch])


@app.agent(payments)
async def note(batches: StreamT[Batch]) -> None:
    """Take note of all payments, also of those that `count` fails on."""
    async for batch in batches:
        noted.send(batch, [(record, record.value) for record in batch])


@app.agent(hop.topic)
async def see(batches: StreamT[Batch]) -> None:
    """Tell how often a card was seen."""
    async for batch in batches:
        for part in batch.by_partition():
            seen.send(part, [(stamp, encode(result.values)) for result, stamp in cards.stamped(part)], rekeyed=True)
