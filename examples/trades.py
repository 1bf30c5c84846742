"""Trades with the quote that was valid: an as-of join, of each trade with the latest quote before it.

Run it:       faust -A examples.trades worker -l info
Send:         echo '{"symbol": "ABC", "bid": 9.9, "at": 1700000000000}'  | streamapp produce quotes --key symbol --timestamp at
              echo '{"symbol": "ABC", "price": 10, "at": 1700000000500}' | streamapp produce trades --key symbol --timestamp at
What it gives: priced_trades has each trade, as "left", with its quote, as "right". It comes once no earlier quote can
              come any more: when the partition's event time is a second past the trade, or after five silent seconds.
"""  # noqa: E501 - commands are to be copied

from __future__ import annotations

from datetime import timedelta

from streamapp import App

app = App("trades")
trades = app.topic("trades", create=True)
quotes = app.topic("quotes", create=True)

priced = trades.join_asof(
    quotes,
    tolerance=timedelta(seconds=10),
    grace=timedelta(seconds=1),
    how="left",
    idle_timeout=timedelta(seconds=5),
)
priced.to("priced_trades", late="late_trades")
