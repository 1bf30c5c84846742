"""An app that looks up the country of each order in a global table."""

from __future__ import annotations

import json

from streamapp import App

app = App(autodiscover=False)
countries = app.topic("countries", type=dict[str, str]).global_table()
app.topic("orders").join(countries, key=lambda order: json.loads(order.value or b"")["in"].encode(), how="left").to(
    app.sink("joined")
)
