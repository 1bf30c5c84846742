"""An app that counts records, and is done with them only once there is a file ``done`` in its directory.

It makes a file ``taken`` there once it has records.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from counting_app import app, increments

__all__ = ["app"]


def take() -> None:
    Path("taken").touch()
    while not Path("done").exists():
        time.sleep(0.05)


@app.agent(increments)
async def hold(batches) -> None:
    async for _ in batches:
        await asyncio.to_thread(take)
