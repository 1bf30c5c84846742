"""SIGTERM and Ctrl-C: what was begun is finished, and committed, and the group is left.

A program that is ended amid its work leaves records that were done and not committed, which the next one does again,
and a member that the group waits for until its session is over. So a signal only says that nothing new is to be begun.
The handlers come first: a signal before them would end the program as if it had none.

    BROKER=127.0.0.1:9092 TOPIC=numbers GROUP=careful python examples/clients/aiokafka/graceful_stop.py
"""

from __future__ import annotations

import asyncio
import os
import signal

from aiokafka import AIOKafkaConsumer, TopicPartition

BROKER = os.environ.get("BROKER", "127.0.0.1:9092")
TOPIC = os.environ.get("TOPIC", "numbers")
GROUP = os.environ.get("GROUP", "careful")
#: Seconds that the work on a record takes.
WORK_S = float(os.environ.get("WORK_S", "0.2"))


async def process(value: bytes | None) -> None:
    """Take time for a record."""
    print(f"begun {(value or b'').decode()}", flush=True)
    await asyncio.sleep(WORK_S)
    print(f"done {(value or b'').decode()}", flush=True)


async def main() -> None:
    """Work on a topic until a signal comes."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with AIOKafkaConsumer(  # at its end it leaves the group
        TOPIC, bootstrap_servers=BROKER, group_id=GROUP, auto_offset_reset="earliest", enable_auto_commit=False
    ) as consumer:
        while not stopping.is_set():
            fetched = await consumer.getmany(timeout_ms=200, max_records=100)
            done: dict[TopicPartition, int] = {}
            for partition, record in ((tp, record) for tp, records in fetched.items() for record in records):
                if stopping.is_set():
                    break  # it was not begun
                await process(record.value)
                done[partition] = record.offset + 1
            if done:
                await consumer.commit(done)


if __name__ == "__main__":
    asyncio.run(main())
