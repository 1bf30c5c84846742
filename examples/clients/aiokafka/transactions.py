"""Consume, transform, produce: results and the offsets of what they were made of are one transaction.

Whoever reads the results with `isolation_level="read_committed"` sees each exactly once, whatever is killed when. The
`transactional_id` stays the same over restarts: the broker ends what was left open under it, and shuts out whoever
still works under it. The `group_instance_id` gives a program that comes back its partitions at once.

A transaction costs some round trips, so there is one for many records.

    BROKER=127.0.0.1:9092 TOPIC=numbers OUTPUT=doubled GROUP=doubling NAME=a \
        python examples/clients/aiokafka/transactions.py
"""

from __future__ import annotations

import asyncio
import os

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

BROKER = os.environ.get("BROKER", "127.0.0.1:9092")
TOPIC = os.environ.get("TOPIC", "numbers")
OUTPUT = os.environ.get("OUTPUT", "doubled")
GROUP = os.environ.get("GROUP", "doubling")
#: Another one for each program of the group.
NAME = os.environ.get("NAME", "a")


def transform(record: ConsumerRecord) -> bytes:
    """Return twice the number."""
    return b"%d" % (2 * int(record.value or b""))


async def main() -> None:
    """Double the numbers of a topic until Ctrl-C, or until an error, at which the open transaction is aborted."""
    async with (
        AIOKafkaProducer(bootstrap_servers=BROKER, transactional_id=f"{GROUP}-{NAME}", linger_ms=5) as producer,
        AIOKafkaConsumer(
            TOPIC,
            bootstrap_servers=BROKER,
            group_id=GROUP,
            group_instance_id=NAME,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
        ) as consumer,
    ):
        while True:
            fetched = await consumer.getmany(timeout_ms=200, max_records=500)
            if not fetched:
                continue
            async with producer.transaction():  # committed at its end, aborted by an exception
                for records in fetched.values():
                    for record in records:
                        await producer.send(OUTPUT, transform(record), key=record.key)
                read_to = {partition: records[-1].offset + 1 for partition, records in fetched.items()}
                await producer.send_offsets_to_transaction(read_to, GROUP)


if __name__ == "__main__":
    asyncio.run(main())
