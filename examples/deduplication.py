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
    """Send on what was not seen before; what has no key goes to the dead letters by itself, as the agent raises."""
    async for batch in batches:
        rows = seen.of(batch)
        known = {key for key in batch.keys if key is not None and rows.get(key) is not None}
        new = {record.key or b"": record for record in reversed(batch.records) if record.key not in known}
        rows.write({key: Row(b"{}", record.timestamp) for key, record in new.items()})
        rows.expire(batch.latest - DAY_MS)
        unique.send(batch, [(record, record.value) for record in sorted(new.values(), key=lambda one: one.offset)])
