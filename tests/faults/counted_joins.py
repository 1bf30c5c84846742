"""The app under fault: streamapp's own click join, a join of orders with their payments, and a table of counts.

The rows of the click join's table are the same however often a profile is read; those of the counts are not, nor are
the orders that wait for their payment.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from streamapp.app import app
from streamapp.joins import Row

__all__ = ["app"]

orders, payments = app.topic("orders"), app.topic("payments")
increments = app.topic("increments", batches=True)
counts = app.table("counts")

orders.join(payments, before=0, after=500, grace=1_000, how="left", name="payments").to(app.sink("paid_orders"))


@app.agent(increments)
async def count(batches) -> None:
    async for batch in batches:
        for value in batch.values:
            match value.split():
                case [b"await", seconds]:  # a slow agent
                    await asyncio.sleep(float(seconds))
                case [b"block", seconds]:  # one that holds up the whole worker
                    time.sleep(float(seconds))  # noqa: ASYNC251
        rows, changes = counts.of(batch), {}
        for key, more in Counter(batch.keys).items():
            row = rows.get(key)
            changes[key] = Row(b"%d" % (more + int(row.value if row else 0)), batch.timestamps[-1])
        rows.write(changes)
