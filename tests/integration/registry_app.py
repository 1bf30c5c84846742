"""An app whose topics are in a registry's wire format: joins and a function."""

from __future__ import annotations

import json

from streamapp import App
from streamapp.formats import Avro, Registered

ORDER = {
    "type": "record",
    "name": "Order",
    "fields": [{"name": "id", "type": "string"}, {"name": "amount", "type": "double", "default": 0}],
}

app = App(origin="registry_app")
orders = app.topic("orders", format=Registered(Avro(ORDER)))
customers = app.topic("customers", format=Registered())
prices = app.topic("prices", format=Registered())

orders.join(customers.table(), how="left", name="named").to("named")
orders.filter(lambda order: order.value["amount"] > 10).to("large", format=Registered(Avro(ORDER)))
orders.join(
    prices.global_table(), key=lambda order: json.loads(order.value or b"")["id"].encode(), how="left", name="priced"
).to("priced")
