"""Offsets that are committed once what they stand for is done: the library does it.

An agent that asks for its next batch is done with the one before it. The worker commits that, each second: first what
the agent has sent is on the broker, then `offset + 1` is committed. A record that it fails on goes to the dead letters,
with the reason, and the others of its batch are done all the same.

    faust -A examples.clients.faust.commit worker -l info
"""

from __future__ import annotations

from faust.types import StreamT

from streamapp import App, Batch

app = App("sums")
numbers = app.topic("numbers", batches=True, create=True)

total = 0


@app.agent(numbers)
async def add(batches: StreamT[Batch]) -> None:
    """Add the numbers of the topic, a batch at once: one that it fails on, it gets again."""
    global total
    async for batch in batches:
        total += sum(int(record.value or b"") for record in batch)
        print(f"total {total}", flush=True)
