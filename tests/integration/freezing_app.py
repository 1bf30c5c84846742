"""An app that counts records, and stops itself (SIGSTOP) when it is about to send rows to its changelog.

That is, if `FREEZES` is in the environment, and once.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from counting_app import app

from streamapp.kafka.pipelining import PipeliningProducer

__all__ = ["app"]

send = PipeliningProducer._send_to


def freeze() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(0.1)  # the kernel stops a process after `kill` has returned


async def freeze_and_send(producer: PipeliningProducer, node: int, batches: Any) -> None:
    if any(tp.topic.endswith("-changelog") for tp in batches) and os.environ.pop("FREEZES", ""):
        freeze()
    await send(producer, node, batches)


PipeliningProducer._send_to = freeze_and_send  # type: ignore[method-assign, assignment]
