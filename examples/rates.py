"""Sales with the price and the tax of their time: a stream with two tables, which remember a week of past rows.

Run it:       faust -A examples.rates worker -l info
Send:         echo '{"item": "tea", "price": 3, "at": 1700000000000}' | streamapp produce prices --key item --timestamp at
              echo '{"item": "tea", "tax": 25, "at": 1700000000000}'  | streamapp produce taxes --key item --timestamp at
              echo '{"item": "tea", "n": 2, "at": 1700000001000}'     | streamapp produce sales --key item --timestamp at
What it gives: invoices has {"sale": …, "price": …, "tax": …} with the rows of the sale's own time, even if newer prices
              have come before it. A sale without a price gives none, and is in unpriced_sales; without a tax, "tax" is null.
"""  # noqa: E501 - commands are to be copied

from __future__ import annotations

from datetime import timedelta

import msgspec

from streamapp import App, Enriched

WEEK = timedelta(days=7)

app = App("rates")
sales = app.topic("sales", create=True)
prices, taxes = (app.topic(name, create=True).table(history=WEEK) for name in ("prices", "taxes"))


def invoice(sale: Enriched) -> dict[str, msgspec.Raw | None]:
    """Make the value of a result: the values of all three, as they came."""
    price, tax = (None if row is None else msgspec.Raw(row.value) for row in sale.rows)
    return {"sale": msgspec.Raw(sale.record.value or b"null"), "price": price, "tax": tax}


sales.join(prices, taxes, how="left").to("invoices", value=invoice, unmatched="unpriced_sales")
