"""An app whose records are redriven: features by several keys, windows by a field, a foreign key, values in Avro."""

from __future__ import annotations

from pathlib import Path

import msgspec

from streamapp import App
from streamapp.formats import Avro
from streamapp.joins import Record
from streamapp.windows import Count, Sum, tumbling

QUOTE = Path(__file__).with_name("schemas") / "quote.avsc"


class Order(msgspec.Struct):
    customer: str


class Quote(msgspec.Struct):
    item: str
    price: float


def customer(record: Record) -> bytes:
    """Return the key of an order's customer."""
    return msgspec.json.decode(record.value or b"", type=Order).customer.encode()


app = App(origin="redriving_kinds_app")
payments, customers, rates = (app.topic(name) for name in ("payments", "customers", "rates"))
orders = app.topic("orders", type=Order)
quotes = app.topic("quotes", type=Quote, format=Avro(QUOTE))
payments.enrich(grace="1h", name="features", n=Count(over="1h"), spent=Sum("amount", over="1h", by="ip")).to(
    "features.results"
)
payments.window(tumbling(100), by="ip", grace="10s", name="ips").agg(total=Sum("amount")).to("ips.results")
orders.table().join(customers.table(), foreign_key=customer, name="known").to("known.joined")
quotes.join(rates.table(), how="left", name="priced").to("priced.joined")
