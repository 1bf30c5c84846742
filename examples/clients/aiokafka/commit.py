"""Offsets that are committed by hand, once what they stand for is done: at least once.

By default a timer commits what was handed out, done or not, and a crash loses it. What is committed is where to go on:
`offset + 1`. With `offset`, the last record of each partition would come again at each start. A commit is a round trip
to the broker, so there is one for many records.

    BROKER=127.0.0.1:9092 TOPIC=numbers GROUP=sums python examples/clients/aiokafka/commit.py
"""

from __future__ import annotations

import asyncio
import os

from aiokafka import AIOKafkaConsumer

BROKER = os.environ.get("BROKER", "127.0.0.1:9092")
TOPIC = os.environ.get("TOPIC", "numbers")
GROUP = os.environ.get("GROUP", "sums")

total = 0


async def process(value: bytes | None) -> None:
    """Add a number; a value that is none ends the program, and is not committed."""
    global total
    total += int(value or b"")
    print(f"total {total}", flush=True)


async def main() -> None:
    """Add the numbers of a topic until Ctrl-C."""
    async with AIOKafkaConsumer(
        TOPIC, bootstrap_servers=BROKER, group_id=GROUP, auto_offset_reset="earliest", enable_auto_commit=False
    ) as consumer:
        while True:
            fetched = await consumer.getmany(timeout_ms=1000, max_records=500)
            for records in fetched.values():
                for record in records:
                    await process(record.value)
            if fetched:
                await consumer.commit({partition: records[-1].offset + 1 for partition, records in fetched.items()})


if __name__ == "__main__":
    asyncio.run(main())
