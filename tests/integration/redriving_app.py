"""An app whose records are redriven: a join with a table, a join of two streams, windows."""

from __future__ import annotations

from streamapp import App
from streamapp.windows import Count, tumbling

app = App(origin="redriving_app")
orders = app.topic("orders", type=dict[str, int])
customers, views = app.topic("customers"), app.topic("views")
orders.join(customers.table(), name="enriched").to("enriched.joined")
views.join(orders, before="1m", after="1m", grace=100, how="outer", name="pairs").to("pairs.joined", late="pairs.late")
views.window(tumbling(100), name="counts").agg(n=Count()).to("counts.results", late="counts.late")
