"""An app with a join in Faust's own words; ``HOW`` says which."""

from __future__ import annotations

import json
import os

import faust

from streamapp.settings import Settings
from streamapp.topology import App
from streamapp.worker.process import Worker


class Purchase(faust.Record):
    user_id: str
    amount: int


class View(faust.Record):
    user_id: str
    url: str


app = App(Settings.load(), origin="faust_joins_app", Worker=Worker)
prefix = app.settings.topic_prefix
purchases = app.topic(f"{prefix}purchases", key_type=str, value_type=Purchase)
views = app.topic(f"{prefix}views", key_type=str, value_type=View)
results = app.topic(f"{prefix}pairs", value_serializer="raw")
output = app.output("joined")

both = purchases.stream() & views.stream()
join = getattr(both, os.environ["HOW"])
side_outputs = {name: app.output(name) for name in os.environ.get("SIDE_OUTPUTS", "").split()}
pairs = join(Purchase.user_id, View.user_id, before=10, after=5, grace=3, **side_outputs)

if os.environ.get("TO"):
    pairs.to(output)
else:

    @app.task
    async def forward() -> None:
        async for purchase, view in pairs:
            told = [purchase and purchase.amount, view and view.url]
            await results.send(value=json.dumps(told).encode())
