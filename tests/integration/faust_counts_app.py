"""An agent on events that counts them by their keys, in a table of Faust's."""

from __future__ import annotations

from streamapp import App

app = App(origin="faust_counts_app")
counts = app.Table("counts", default=int)


@app.agent(app.topic("clicks", key_type=str, value_type=int))
async def count(clicks):
    async for event in clicks.events():
        counts[event.key] += 1
