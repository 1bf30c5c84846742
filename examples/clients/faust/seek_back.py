"""A failure that passes: the agent waits, and the library goes back for all others.

What an agent does with a batch takes effect once it is done with it, or not at all. So where the next step is away for
a while (here: a directory), it waits and tries again: nothing is committed meanwhile, and the heartbeats go on in
another thread. For what it raises nothing is to be written either: it gets the same batch again, then its halves, down
to the record at fault, which goes to the dead letters.

    FILE=out/numbers faust -A examples.clients.faust.seek_back worker -l info
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from faust.types import StreamT

from streamapp import App, Batch

FILE = Path(os.environ.get("FILE", "out/numbers"))
#: Seconds between two tries.
PAUSE_S = float(os.environ.get("PAUSE_S", "1"))

app = App("files")
numbers = app.topic("numbers", batches=True, create=True)


def append(lines: bytes) -> None:
    """Write lines down; an OSError if there is no such directory."""
    with FILE.open("ab") as file:
        file.write(lines)


async def write(lines: bytes) -> None:
    """Write lines down, as soon as there is such a directory."""
    while True:
        try:
            append(lines)
        except OSError as exc:
            print(f"once more in {PAUSE_S:g} s: {exc}", flush=True)
            await asyncio.sleep(PAUSE_S)
        else:
            return


@app.agent(numbers)
async def keep(batches: StreamT[Batch]) -> None:
    """Write the numbers down; a value that is none goes to the dead letters."""
    async for batch in batches:
        await write(b"".join(b"%d\n" % int(record.value or b"") for record in batch))
