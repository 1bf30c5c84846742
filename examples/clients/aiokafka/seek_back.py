"""A failure that passes: back to what is committed, and once more.

Where the next step is away for a while (here: a directory), to go on with the next record would lose this one. To end
the program has the whole group rebalance. So what was done is committed, the consumer seeks back to that, and tries
again after a pause; nothing is lost, and nothing that was committed is done twice.

    BROKER=127.0.0.1:9092 TOPIC=numbers GROUP=files FILE=out/numbers python examples/clients/aiokafka/seek_back.py
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

BROKER = os.environ.get("BROKER", "127.0.0.1:9092")
TOPIC = os.environ.get("TOPIC", "numbers")
GROUP = os.environ.get("GROUP", "files")
FILE = Path(os.environ.get("FILE", "out/numbers"))
#: Seconds between two tries.
PAUSE_S = float(os.environ.get("PAUSE_S", "1"))


def process(record: ConsumerRecord) -> None:
    """Write a value down; an OSError if there is no such directory."""
    with FILE.open("ab") as file:
        file.write((record.value or b"") + b"\n")


async def seek_back(consumer: AIOKafkaConsumer) -> None:
    """Go back to what is committed; where nothing is yet, to the beginning, which `seek_to_committed` does not."""
    for partition, offset in (await consumer.seek_to_committed()).items():
        if not offset:
            await consumer.seek_to_beginning(partition)


async def main() -> None:
    """Write the values of a topic down until Ctrl-C."""
    async with AIOKafkaConsumer(
        TOPIC, bootstrap_servers=BROKER, group_id=GROUP, auto_offset_reset="earliest", enable_auto_commit=False
    ) as consumer:
        while True:
            fetched = await consumer.getmany(timeout_ms=1000, max_records=500)
            done: dict[TopicPartition, int] = {}
            failed = None
            try:
                for partition, records in fetched.items():
                    for record in records:
                        process(record)
                        done[partition] = record.offset + 1
            except OSError as exc:
                failed = exc
            if done:
                await consumer.commit(done)
            if failed is not None:
                print(f"back to what is committed: {failed}", flush=True)
                await seek_back(consumer)
                await asyncio.sleep(PAUSE_S)


if __name__ == "__main__":
    asyncio.run(main())
