"""An app that looks up the country of each order in a global table."""

from __future__ import annotations

import json

from streamapp.app import App
from streamapp.settings import Settings

app = App(Settings.load(), autodiscover=False)
countries = app.batches("countries", type=dict[str, str]).global_table()
app.batches("orders").join(countries, key=lambda order: json.loads(order.value)["in"].encode(), how="left").to(
    app.output("joined")
)
