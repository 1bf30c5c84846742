"""A producer that hears what became of each record, and waits while too many are under way: a command of the app.

`send` waits while there is no room, and the callback hears the broker's answer. An agent needs neither: what it sends
by a sink is sent again until the broker has it, and what the broker refuses goes to the dead letters.

    COUNT=100000 faust -A examples.clients.faust.produce produce
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from typing import Any

from streamapp import App

COUNT = int(os.environ.get("COUNT", "1000"))

app = App("producing")
numbers = app.topic("numbers", value_serializer="raw")


@app.command()
async def produce() -> None:
    """Send the numbers, and tell what became of them."""
    outcomes: Counter[str] = Counter()

    def heard(answer: Any) -> None:
        error = answer.exception()
        outcomes["delivered" if error is None else f"failed ({type(error).__name__})"] += 1

    for number in range(COUNT):
        answer: Any = await numbers.send(value=b"%d" % number)
        answer.add_done_callback(heard)
    await app.producer.flush()
    print(dict(outcomes))
    if outcomes["delivered"] < COUNT:
        sys.exit(1)
