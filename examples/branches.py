"""Payments by their size into three topics: a filter and branches, without any state.

Run it:       faust -A examples.branches worker -l info
Send:         echo '{"id": "p1", "cents": 5}' | streamapp produce all_payments --key id      (and 500, 50000, 0)
What it gives: small_payments, payments_to_look_at and large_payments have one each; that of 0 cents is in none.
              A payment that is not such JSON is in dead_letters, with the reason.
"""

from __future__ import annotations

import msgspec

from streamapp import App, TypedRecord


class Payment(msgspec.Struct):
    id: str
    cents: int


def is_paid(payment: TypedRecord[Payment]) -> bool:
    return payment.value.cents > 0


def is_small(payment: TypedRecord[Payment]) -> bool:
    return payment.value.cents < 100


def is_medium(payment: TypedRecord[Payment]) -> bool:
    return payment.value.cents < 10_000


app = App("branches")

small, medium, large = app.topic("all_payments", type=Payment, create=True).filter(is_paid).branch(is_small, is_medium)
small.to("small_payments")
medium.to("payments_to_look_at")
large.to("large_payments")
