"""Orders with their customers, both tables: a join by a foreign key, which changes when either side does.

Run it:       faust -A examples.customers worker -l info
Send:         echo '{"id": "o1", "customer": "ann"}' | streamapp produce shop_orders --key id
              echo '{"id": "ann", "city": "Oslo"}'   | streamapp produce shop_customers --key id
What it gives: orders_with_customers has, by the order's key, {"left": …the order…, "right": …the customer…}; once more
              whenever the customer changes, and a tombstone when one of the two is deleted (or, at least once,
              while an order has no customer yet).
"""

from __future__ import annotations

import msgspec

from streamapp import App, Record


class Order(msgspec.Struct):
    customer: str


def customer_of(order: Record) -> bytes:
    """Return the key of the customer that an order names."""
    return msgspec.json.decode(order.value or b"", type=Order).customer.encode()


app = App("customers")
orders = app.topic("shop_orders", type=Order, create=True).table()
customers = app.topic("shop_customers", create=True).table()

orders.join(customers, foreign_key=customer_of).to("orders_with_customers")
