"""Cards that are used more than three times in a minute: an own agent that runs windows by hand, on whole batches.

Run it:       faust -A examples.busy_cards worker -l info
Send:         echo '{"card": "c1", "amount": 5}' | streamapp produce card_payments --key card       (four times)
What it gives: busy_cards has {"card": "c1", "start": …, "n": 4, "total": 20} once the minute is over: with the first
              payment that is 10 s past its end. A payment without an amount is in unusable_payments.
"""

from __future__ import annotations

import msgspec
from faust.types import StreamT

from streamapp import App, Batch
from streamapp.windows import Count, Sum, Windowed, WindowedAggregate, tumbling

MANY = 4


class BusyCard(msgspec.Struct):
    card: str
    start: int
    n: int
    total: float


minutes = WindowedAggregate(windows=tumbling("1m"), grace=10_000, aggregates={"n": Count(), "total": Sum("amount")})

app = App("busy_cards")
payments = app.topic("card_payments", batches=True, create=True)
busy_cards = app.sink("busy_cards")
at_work = app.operators("card_minutes", minutes, payments, rejected="unusable_payments")


@app.agent(payments)
async def watch(batches: StreamT[Batch]) -> None:
    """Send on the minutes in which a card was used too often."""
    async for batch in batches:
        minutes_over = at_work.stamped(batch)
        busy_cards.send(batch, [(stamp, value(minute)) for minute, stamp in minutes_over if number_of(minute) >= MANY])


def number_of(minute: Windowed) -> int:
    """Return how often a card was used in a minute."""
    return int(minute.values[0]) if minute.values else 0


def value(minute: Windowed) -> bytes:
    """Return the value of a result."""
    n, total = minute.values or (0, 0)
    return msgspec.json.encode(BusyCard(minute.key.decode(), minute.start, n, total))
