"""An app whose topics have formats: joins, a window and functions from one into another."""

from __future__ import annotations

from pathlib import Path

from streamapp import App
from streamapp.formats import Avro, MessagePack, Protobuf
from streamapp.windows import Count, Sum, tumbling

HERE = Path(__file__).parent / "schemas"

app = App(origin="formats_app")
orders = app.topic("orders", format=Avro(HERE / "order.avsc", earlier=(HERE / "order_1.avsc",)))
customers = app.topic("customers", format=Protobuf(HERE / "customer.proto"))
payments = app.topic("payments")

# Avro with Protobuf, into MessagePack.
orders.join(customers.table(ttl="1h"), how="left", name="named").to(
    "named_orders", format=MessagePack(), unmatched=app.sink("unmatched", format=Avro(HERE / "order.avsc"))
)
# Avro with JSON, both streams, into JSON.
orders.join(payments, before=0, after="10m", grace="1m", name="paid").to("paid")
# A window of Avro, into Avro.
orders.window(tumbling("1m"), by="customer", grace=0, name="sums").agg(n=Count(), total=Sum("amount")).to(
    "sums", format=Avro(HERE / "sum.avsc")
)
# Functions, into Protobuf.
orders.filter(lambda order: order.value["amount"] > 10).map(
    lambda order: {"id": order.value["customer"], "name": f"of {order.value['amount']}"}
).to("large", format=Protobuf(HERE / "customer.proto"))

# Keys that are not text, which have the same partition on both sides, and another one in the results.
visits = app.topic("visits", format=MessagePack(), key_format=Avro("long"))
pages = app.topic("pages", key_format=Avro("long"))
visits.join(pages.table(), name="seen").to("seen")
app.topic("named_orders").to("named_keys", key_format=Avro("string"))
