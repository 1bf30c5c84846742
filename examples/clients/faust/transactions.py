"""Consume, transform, produce: with a setting, results and the offsets of what they were made of are one transaction.

The agent is the same with both guarantees. With `exactly_once` what it sends, its tables' changes and its offsets are
committed together, every 100 ms; ids, fencing, aborts and the way back to what is committed are the library's.

    STREAMAPP_PROCESSING_GUARANTEE=exactly_once faust -A examples.clients.faust.transactions worker -l info
"""

from __future__ import annotations

from faust.types import StreamT

from streamapp import App, Batch

app = App("doubling")
numbers = app.topic("numbers", batches=True, create=True)
doubled = app.sink("doubled")


@app.agent(numbers)
async def double(batches: StreamT[Batch]) -> None:
    """Send twice each number; a value that is none goes to the dead letters."""
    async for batch in batches:
        doubled.send(batch, [(record, b"%d" % (2 * int(record.value or b""))) for record in batch])
