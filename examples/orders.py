"""Orders with their payments: a left join of two streams; payments that come too late have a topic of their own.

Run it:       faust -A examples.orders worker -l info
Send:         echo '{"order": "o1", "item": "tea"}' | streamapp produce orders --key order
              echo '{"order": "o1", "amount": 5}'   | streamapp produce payments --key order
What it gives: paid_orders has {"left": {"order": "o1", "item": "tea"}, "right": {"order": "o1", "amount": 5}}. An order
              that is not paid within an hour is there with "right": null, once, when no payment can come any more.
              A payment behind the clock of its partition by more than five minutes is in late_payments.
"""

from __future__ import annotations

from datetime import timedelta

from streamapp import App

app = App("orders")
orders = app.topic("orders", create=True)
payments = app.topic("payments", create=True)

paid = orders.join(
    payments,
    before=timedelta(0),
    after=timedelta(hours=1),
    grace=timedelta(minutes=5),
    how="left",
    name="paid",
)
paid.to("paid_orders", late="late_payments")
