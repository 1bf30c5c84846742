"""An app with a declared join and windows, whose page is looked at."""

from __future__ import annotations

from streamapp import App
from streamapp.windows import Count, tumbling

app = App(origin="page_app")
orders, payments = app.topic("orders"), app.topic("payments")
orders.join(payments, before=0, after="1m", grace="1s", how="left", name="paid").to("paid", late="late_orders")
orders.window(tumbling("1m"), grace="10s", name="minutes").agg(n=Count()).to("order_minutes")
