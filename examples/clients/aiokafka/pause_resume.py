"""More than can be worked on: the consumer pauses at a high watermark, and resumes at a low one.

A loop that stops asking while too much is in hand is put out of its group after `max_poll_interval_ms`; one that breaks
off loses what it has fetched; one that goes on fills the memory. A paused consumer fetches nothing, and is asked all
the same: it keeps its partitions.

One task works, in order. What it is done with is committed, as `offset + 1`, and before partitions go to another
member, all in hand is finished.

    BROKER=127.0.0.1:9092 TOPIC=numbers GROUP=slow HIGH=100 LOW=20 python examples/clients/aiokafka/pause_resume.py
"""

from __future__ import annotations

import asyncio
import os

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition

BROKER = os.environ.get("BROKER", "127.0.0.1:9092")
TOPIC = os.environ.get("TOPIC", "numbers")
GROUP = os.environ.get("GROUP", "slow")
#: Records in hand at which it pauses, and resumes.
HIGH, LOW = int(os.environ.get("HIGH", "100")), int(os.environ.get("LOW", "20"))
#: Seconds that the work on a record takes.
WORK_S = float(os.environ.get("WORK_S", "0.01"))


in_hand: asyncio.Queue[ConsumerRecord] = asyncio.Queue()
done: dict[TopicPartition, int] = {}


async def work() -> None:
    """Do what is in hand, one after the other."""
    while True:
        record = await in_hand.get()
        await asyncio.sleep(WORK_S)
        done[TopicPartition(record.topic, record.partition)] = record.offset + 1
        in_hand.task_done()


class Finishing(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self.consumer = consumer

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Finish what is in hand, and commit it, before its partitions are another member's."""
        await in_hand.join()
        if done:
            await self.consumer.commit(done)
            done.clear()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Begin with what is asked for next."""


async def main() -> None:
    """Work on a topic until Ctrl-C."""
    async with AIOKafkaConsumer(
        bootstrap_servers=BROKER, group_id=GROUP, auto_offset_reset="earliest", enable_auto_commit=False
    ) as consumer:
        consumer.subscribe([TOPIC], listener=Finishing(consumer))
        working = asyncio.create_task(work())
        while not working.done():
            room = max(1, HIGH - in_hand.qsize())
            for records in (await consumer.getmany(timeout_ms=50, max_records=room)).values():  # while paused, too
                for record in records:
                    in_hand.put_nowait(record)
            if not consumer.paused() and in_hand.qsize() >= HIGH:
                consumer.pause(*consumer.assignment())
                print(f"paused with {in_hand.qsize()} in hand", flush=True)
            elif consumer.paused() and in_hand.qsize() <= LOW:
                consumer.resume(*consumer.paused())
                print(f"resumed with {in_hand.qsize()} in hand", flush=True)
            if finished := done.copy():
                done.clear()
                await consumer.commit(finished)
        working.result()


if __name__ == "__main__":
    asyncio.run(main())
