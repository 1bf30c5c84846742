"""An app with a join in Faust's own words; ``HOW`` says which."""

from __future__ import annotations

import json
import os

import faust

from streamapp import App


class Purchase(faust.Record):
    user_id: str
    amount: int


class View(faust.Record):
    user_id: str
    url: str


app = App(origin="faust_joins_app")
purchases = app.topic("purchases", key_type=str, value_type=Purchase)
views = app.topic("views", key_type=str, value_type=View)
results = app.topic("pairs", value_serializer="raw")
output = app.sink("joined")

both = purchases.stream() & views.stream()
join = getattr(both, os.environ["HOW"])
side_outputs = {name: app.sink(name) for name in os.environ.get("SIDE_OUTPUTS", "").split()}
pairs = join(Purchase.user_id, View.user_id, before=10, after=5, grace=3, **side_outputs)

if os.environ.get("TO"):
    pairs.to(output)
else:

    @app.task
    async def forward() -> None:
        async for purchase, view in pairs:
            told = [purchase and purchase.amount, view and view.url]
            await results.send(value=json.dumps(told).encode())
