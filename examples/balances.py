"""Balances of accounts: an own agent with an own table, which anybody can look at over HTTP.

Run it:       faust -A examples.balances worker -l info
Send:         echo '{"account": "ann", "amount": 5}' | streamapp produce bookings --key account
What it gives: curl localhost:6066/table/balances/ann/     {"balance":5,"bookings":1}
              A booking that is not such JSON goes to dead_letters; the others of its batch are done all the same.
"""

from __future__ import annotations

import msgspec
from faust.types import StreamT

from streamapp import App, Batch, Row


class Booking(msgspec.Struct):
    amount: int


class Balance(msgspec.Struct):
    balance: int = 0
    bookings: int = 0


app = App("balances")
bookings = app.topic("bookings", batches=True, create=True)
balances = app.table("balances", help="what is on each account")


@app.agent(bookings)
async def book(batches: StreamT[Batch]) -> None:
    """Add each booking to the balance of its account."""
    async for batch in batches:
        rows = balances.of(batch)
        for record in batch:
            key = record.key or b"nobody"  # a booking that names no account
            row, booking = rows.get(key), msgspec.json.decode(record.value or b"", type=Booking)
            now = msgspec.json.decode(row.value, type=Balance) if row else Balance()
            after = Balance(now.balance + booking.amount, now.bookings + 1)
            rows.write({key: Row(msgspec.json.encode(after), record.timestamp)})
