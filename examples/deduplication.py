"""Each message once: a function with a state, which is forgotten after a day.

Run it:       faust -A examples.deduplication worker -l info
Send:         echo '{"id": "m1", "text": "hi"}' | streamapp produce messages --key id       (twice)
What it gives: unique_messages has the message once, also if the worker was killed in between. A message without a key
              cannot be told from others: it goes to dead_letters.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from streamapp import App, Context, TypedRecord


def first(message: TypedRecord[Any], seen: Context[bool]) -> None:
    """Send on what was not seen before."""
    if not seen.state:
        seen.state = True
        seen.emit(message)


app = App("deduplication")
messages = app.topic("messages", create=True)

messages.process(first, state=bool, ttl=timedelta(days=1)).to("unique_messages")
