"""An app as a user writes it: a join, and an agent with a table."""

from __future__ import annotations

from streamapp import App, Row

app = App("own-app", origin="own_app")
orders, payments, visits = app.topic("orders"), app.topic("payments"), app.topic("visits", batches=True)
orders.join(payments, before=0, after=1_000, grace=100, how="left", name="paid").to("paid", unmatched="unpaid")
last, visited = app.table("last_visits"), app.sink("visited")


@app.agent(visits)
async def keep(batches) -> None:
    async for batch in batches:
        last.of(batch).write({visit.key: Row(visit.value, visit.timestamp) for visit in batch})
        visited.send(batch, [(visit, visit.value) for visit in batch])
