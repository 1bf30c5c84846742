"""An app that counts records, gives a result for each, and is killed or stopped at a step of a commit.

The environment says at which (`DIES_AT`, a step; nowhere if it is not set), and by which signal (`DIES_BY`).
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.producer.sender import Sender
from counting_app import CountingApp

from streamapp.joins import Row
from streamapp.settings import CLICKS, Settings
from streamapp.stores.uncommitted import Uncommitted

__all__ = ["STEPS", "app"]

#: The steps of a commit: what is called, and whether the end comes before or after it.
STEPS: Final[dict[str, tuple[type, str, bool]]] = {
    "the offsets are not sent": (AIOKafkaProducer, "send_offsets_to_transaction", True),
    "the transaction is not committed": (AIOKafkaProducer, "commit_transaction", True),
    "the worker does not know that the transaction is committed": (Sender, "_do_txn_commit", False),
    "the rows are not in the store": (Uncommitted, "store", True),
    "the rows are in the store": (Uncommitted, "store", False),
}


def end_at(step: str, number: int) -> None:
    """Send this process a signal the first time that it is at a step of a commit."""
    owner, name, before = STEPS[step]
    real: Callable[..., Any] = getattr(owner, name)
    signals = [number]

    def end() -> None:
        if signals:
            os.kill(os.getpid(), signals.pop())

    if owner is Uncommitted:

        def store(*args: Any) -> None:
            if before:
                end()
            real(*args)
            end()

        setattr(owner, name, store)
    else:

        async def call(*args: Any) -> None:
            if before:
                end()
            await real(*args)
            end()

        setattr(owner, name, call)


if step := os.environ.get("DIES_AT"):
    end_at(step, signal.Signals[os.environ["DIES_BY"]])

app = CountingApp(Settings.load(), origin="dying_app")
increments = app.batches(CLICKS)
counts = app.rows("counts")
counted = app.output("counted")


@app.agent(increments)
async def count(batches) -> None:
    async for batch in batches:
        rows, changes = counts.of(batch), {}
        for key, more in Counter(batch.keys).items():
            row = rows.get(key)
            changes[key] = Row(b"%d" % (more + int(row.value if row else 0)), batch.timestamps[-1])
        rows.write(changes)
        counted.send(batch, [(record, record.value) for record in batch.records])
