"""The loop that one writes by hand on aiokafka: profiles in a dict, which is read again at each start."""

import asyncio
import os
import signal
import time

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

BROKER, GROUP = os.environ["BROKER"], os.environ["GROUP"]
PROFILES, CLICKS, JOINED = os.environ["PROFILES"], os.environ["CLICKS"], os.environ["JOINED"]
COMMIT_EVERY = 5.0

profiles = {}


def keep(records):
    for record in records:
        if record.value is None:
            profiles.pop(record.key, None)
        else:
            profiles[record.key] = orjson.loads(record.value)


async def read_profiles(reader):
    """Read the profiles to their present end."""
    ends = await reader.end_offsets(reader.assignment())
    while any([await reader.position(tp) < end for tp, end in ends.items()]):
        for records in (await reader.getmany(timeout_ms=100, max_records=1000)).values():
            keep(records)


async def follow_profiles(reader):
    while True:
        for records in (await reader.getmany(timeout_ms=1000, max_records=1000)).values():
            keep(records)


async def join(consumer, producer, running):
    sent = []
    committed_at = time.monotonic()
    while running.is_set():
        for records in (await consumer.getmany(timeout_ms=100, max_records=1000)).values():
            for record in records:
                if (profile := profiles.get(record.key)) is not None:
                    click = orjson.loads(record.value)
                    joined = orjson.dumps({"click": click, "profile": profile, "join_timestamp": time.time()})
                    sent.append(await producer.send(JOINED, joined, key=record.key))
        if time.monotonic() - committed_at > COMMIT_EVERY:
            await commit(consumer, producer, sent)
            committed_at = time.monotonic()
    await commit(consumer, producer, sent)


async def commit(consumer, producer, sent):
    await producer.flush()
    for delivery in sent:
        delivery.result()
    sent.clear()
    await consumer.commit()


async def main():
    running = asyncio.Event()
    running.set()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.clear)
    # The profiles have no group: this process reads all partitions, and again at each start.
    reader = AIOKafkaConsumer(PROFILES, bootstrap_servers=BROKER, group_id=None, auto_offset_reset="earliest")
    consumer = AIOKafkaConsumer(
        CLICKS, bootstrap_servers=BROKER, group_id=GROUP, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=BROKER, compression_type="lz4", linger_ms=int(os.environ["LINGER_MS"]), acks="all"
    )
    async with reader:
        await read_profiles(reader)
        async with consumer, producer:
            following = asyncio.create_task(follow_profiles(reader))
            await join(consumer, producer, running)
            following.cancel()


uvloop.run(main())
