"""A join with windows whose topics are in a registry's wire format, and which keeps accounts of each record."""

from __future__ import annotations

from registry_app import ORDER

from streamapp import App
from streamapp.formats import Avro, Registered

app = App(origin="registered_pairs_app")
orders = app.topic("orders", format=Registered(Avro(ORDER)))
payments = app.topic("payments", format=Registered())
orders.join(payments, before=1_000, after=1_000, grace=500, how="left", name="paid").to(
    "paid", unmatched="unpaid", late="late", rejected="refused"
)
