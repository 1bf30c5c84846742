"""More than can be worked on: the library fetches no more of a partition than `STREAMAPP_BUFFER` bytes ahead.

A partition whose records nobody has taken yet is left out of the next fetch, and comes again as soon as there is room:
a watermark of bytes for each partition, instead of a count of records. Heartbeats go on in another thread, however
long the agent takes. Nothing is to be written.

    STREAMAPP_BUFFER=65536 faust -A examples.clients.faust.pause_resume worker -l info
"""

from __future__ import annotations

import asyncio
import os

from faust.types import StreamT

from streamapp import App, Batch

#: Seconds that the work on a record takes.
WORK_S = float(os.environ.get("WORK_S", "0.01"))

app = App("slow")
numbers = app.topic("numbers", batches=True, create=True)


@app.agent(numbers)
async def work(batches: StreamT[Batch]) -> None:
    """Take time for each record."""
    async for batch in batches:
        await asyncio.sleep(WORK_S * len(batch))
        print(f"done with {len(batch)} records, {sum(len(record.value or b'') for record in batch)} bytes", flush=True)
