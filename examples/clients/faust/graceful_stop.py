"""SIGTERM and Ctrl-C: what was begun is finished, and committed, and the group is left. The library does it.

`faust worker` has its handlers before it begins anything. An agent finishes the batch that it has in hand, that is
committed, and the others of the group go on with its partitions at once.

    faust -A examples.clients.faust.graceful_stop worker -l info
"""

from __future__ import annotations

import asyncio
import os

from faust.types import StreamT

from streamapp import App, Batch

#: Seconds that the work on a record takes.
WORK_S = float(os.environ.get("WORK_S", "0.2"))

app = App("careful")
numbers = app.topic("numbers", batches=True, create=True)


@app.agent(numbers)
async def work(batches: StreamT[Batch]) -> None:
    """Take time for each record."""
    async for batch in batches:
        for record in batch:
            print(f"begun {(record.value or b'').decode()}", flush=True)
            await asyncio.sleep(WORK_S)
            print(f"done {(record.value or b'').decode()}", flush=True)
