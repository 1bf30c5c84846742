"""A producer that hears what became of each record, and waits while too many are under way.

`send` gives a future, which the broker's answer settles. To await it after each `send` has one record under way at a
time (`send_and_wait` does that); never to look at it loses the errors. So each future gets a callback, and a semaphore
bounds how many are open.

    BROKER=127.0.0.1:9092 TOPIC=numbers COUNT=100000 python examples/clients/aiokafka/produce.py
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from typing import Any

from aiokafka import AIOKafkaProducer

BROKER = os.environ.get("BROKER", "127.0.0.1:9092")
TOPIC = os.environ.get("TOPIC", "numbers")
COUNT = int(os.environ.get("COUNT", "1000"))
#: Records that may be under way.
ROOM = int(os.environ.get("ROOM", "10000"))


async def main() -> int:
    """Send the numbers, and tell what became of them."""
    outcomes: Counter[str] = Counter()
    room = asyncio.Semaphore(ROOM)

    def heard(answer: asyncio.Future[Any]) -> None:
        room.release()
        error = answer.exception()
        outcomes["delivered" if error is None else f"failed ({error})"] += 1

    async with AIOKafkaProducer(
        bootstrap_servers=BROKER,
        enable_idempotence=True,  # a record that is sent again is there once, and the order is kept
        linger_ms=20,
        compression_type="lz4",
    ) as producer:
        for number in range(COUNT):
            outcomes["waits"] += room.locked()
            await room.acquire()
            answer = await producer.send(TOPIC, b"%d" % number)
            answer.add_done_callback(heard)
    print(dict(outcomes))  # at the end of the `with` all is answered
    return 0 if outcomes["delivered"] == COUNT else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
