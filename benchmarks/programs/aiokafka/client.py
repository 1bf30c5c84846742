"""Produces or consumes a topic with aiokafka, and says what that took."""

import json
import os
import resource
import time

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

BROKER, TOPIC = os.environ["BROKER"], os.environ["TOPIC"]
COUNT, BYTES, PARTITIONS = (int(os.environ[name]) for name in ("COUNT", "BYTES", "PARTITIONS"))


async def produce():
    value = os.environ["VALUE"].encode() * (BYTES // 100)
    acks = os.environ["ACKS"]
    how = {"enable_idempotence": True} if acks == "idempotent" else {"acks": 1 if acks == "1" else acks}
    codec = None if os.environ["COMPRESSION"] == "none" else os.environ["COMPRESSION"]
    async with AIOKafkaProducer(
        bootstrap_servers=BROKER, compression_type=codec, linger_ms=50, max_batch_size=1 << 18, **how
    ) as producer:
        answers = [await producer.send(TOPIC, value) for _ in range(COUNT)]
        await producer.flush()
    done = sum(answer.exception() is None for answer in answers)
    return done, done * len(value)


async def connect_each_time():
    value = os.environ["VALUE"].encode()
    for _ in range(COUNT):
        async with AIOKafkaProducer(bootstrap_servers=BROKER) as producer:
            await producer.send_and_wait(TOPIC, value)
    return COUNT, COUNT * len(value)


async def consume():
    count = size = 0
    async with AIOKafkaConsumer(bootstrap_servers=BROKER, group_id=None, auto_offset_reset="earliest") as consumer:
        partitions = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        while count < COUNT:
            for records in (await consumer.getmany(timeout_ms=1000, max_records=1000)).values():
                count += len(records)
                size += sum(len(record.value) for record in records)
    return count, size


work = {"produce": produce, "consume": consume, "connect": connect_each_time}[os.environ["WORK"]]
begin = time.perf_counter()
records, size = uvloop.run(work())
seconds = time.perf_counter() - begin
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"records": records, "bytes": size, "seconds": seconds, "cpu": used.ru_utime + used.ru_stime}))
