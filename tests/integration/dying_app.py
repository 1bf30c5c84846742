"""An app that counts records, gives a result for each, and is killed or stopped at a step of a commit.

The environment says at which (`DIES_AT`, a step; nowhere if it is not set), and by which signal (`DIES_BY`). One agent
counts and another gives the results: what both do with a batch is committed together.
"""

from __future__ import annotations

import os
import signal

from commit_steps import end_at
from counting_app import app, increments

from streamapp.worker import producer

__all__ = ["app"]

#: So late that a test which waits for it fails: whoever gets the partitions has to end the transactions.
producer.TRANSACTION_TIMEOUT_SESSIONS = 100  # type: ignore[misc]  # it is Final

if step := os.environ.get("DIES_AT"):
    end_at(step, signal.Signals[os.environ["DIES_BY"]])

counted = app.sink("counted")


@app.agent(increments)
async def tell(batches) -> None:
    async for batch in batches:
        counted.send(batch, [(record, record.value) for record in batch.records])
