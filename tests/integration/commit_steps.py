"""The steps of a commit, with a transaction or without, at which a worker may be killed or stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.producer.sender import Sender

from streamapp.runtime.checkpoint import Checkpoint
from streamapp.runtime.outbox import Outbox
from streamapp.runtime.uncommitted import Uncommitted

__all__ = ["OFFSETS", "STEPS", "end_at"]

#: The steps of a commit: what is called, and whether the end comes before or after it.
STEPS: Final[dict[str, tuple[type, str, bool]]] = {
    "a changelog has rows": (Uncommitted, "delivered", False),
    "the offsets are not sent": (AIOKafkaProducer, "send_offsets_to_transaction", True),
    "the transaction is not committed": (AIOKafkaProducer, "commit_transaction", True),
    "the worker does not know that the transaction is committed": (Sender, "_do_txn_commit", False),
    "the rows are not in the store": (Uncommitted, "store", True),
    "the rows are in the store": (Uncommitted, "store", False),
}


#: The one between the changelogs and the offsets, where these are not in one transaction.
OFFSETS: Final = "the changelogs have all rows"
ALL: Final[dict[str, tuple[type, str, bool]]] = {**STEPS, OFFSETS: (Checkpoint, "_check_rows", False)}


def end_at(step: str, number: signal.Signals) -> None:
    """Send this process a signal the first time that it is at a step of a commit of work."""
    owner, name, before = ALL[step]
    real: Callable[..., Any] = getattr(owner, name)
    settle, signals = Outbox.settle, list[signal.Signals]()

    async def begin(outbox: Outbox) -> None:  # not the commit of offsets before there is any work
        Outbox.settle = settle  # type: ignore[method-assign]
        signals.append(number)
        await settle(outbox)

    Outbox.settle = begin  # type: ignore[method-assign, assignment]

    def end() -> None:
        if signals:
            os.kill(os.getpid(), signals.pop())

    if owner is Uncommitted:

        def act(*args: Any) -> None:
            if before:
                end()
            real(*args)
            end()

        setattr(owner, name, act)
    else:

        async def call(*args: Any) -> None:
            if before:
                end()
            await real(*args)
            end()

        setattr(owner, name, call)
