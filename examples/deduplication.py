"""Each message once: an own agent, on whole batches, that remembers the keys of a day in an own table.

Run it:       faust -A examples.deduplication worker -l info
Send:         echo '{"id": "m1", "text": "hi"}' | streamapp produce messages --key id       (twice)
What it gives: unique_messages has the message once, also if the worker was killed in between.
"""

from __future__ import annotations

from faust.types import StreamT

from streamapp import App, Batch, Row

DAY_MS = 86_400_000

app = App("deduplication")
messages = app.topic("messages", batches=True, create=True)
seen = app.table("seen", help="the ids of the messages of the last day")
unique = app.sink("unique_messages")


@app.agent(messages)
async def deduplicate(batches: StreamT[Batch]) -> None:
    """Send on what was not seen before; a message without a key goes to the dead letters, as the agent raises."""
    async for batch in batches:
        rows = seen.of(batch)
        for message in batch:
            if message.key is None:
                raise ValueError("a message without a key cannot be told from others")
            if rows.get(message.key) is None:
                rows.write({message.key: Row(b"{}", message.timestamp)})
                unique.send(batch, [(message, message.value)])
        rows.expire(batch.latest - DAY_MS)
