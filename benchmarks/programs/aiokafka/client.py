"""Produces or consumes a topic with aiokafka, and says what that took."""

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from client_task import (
    ACKS,
    BATCH_BYTES,
    BROKER,
    BYTES,
    COMPRESSION,
    COUNT,
    FETCH_BYTES,
    FETCH_WAIT_MS,
    GROUP,
    IDEMPOTENT,
    LINGER_MS,
    PARTITIONS,
    TAKEN,
    TOPIC,
    VALUES,
    WARM_TOPIC,
    WORK,
    Clock,
    messages,
)

clock = Clock()
delivered = 0


def make_producer(linger_ms=LINGER_MS):
    return AIOKafkaProducer(
        bootstrap_servers=BROKER,
        compression_type=COMPRESSION,
        linger_ms=linger_ms,
        max_batch_size=BATCH_BYTES,
        enable_idempotence=IDEMPOTENT,
        acks=ACKS,
    )


def on_delivery(answer):
    global delivered
    answer.result()
    delivered += 1


async def produce():
    async with make_producer() as producer:
        await producer.send_and_wait(TOPIC, VALUES[0])
        clock.start()
        for value in messages():
            (await producer.send(TOPIC, value)).add_done_callback(on_delivery)
        await producer.flush()
        clock.stop(delivered, delivered * BYTES)


async def one_by_one():
    # `flush` does not cut short the wait for more messages, as it does in librdkafka.
    async with make_producer(linger_ms=0) as producer:
        await producer.send_and_wait(TOPIC, VALUES[0])
        clock.start()
        for value in messages():
            await producer.send_and_wait(TOPIC, value)
        clock.stop(COUNT, COUNT * BYTES)


async def connect_each_time():
    await send_alone(VALUES[0])
    clock.start()
    for value in messages():
        await send_alone(value)
    clock.stop(COUNT, COUNT * BYTES)


async def send_alone(value):
    async with make_producer(linger_ms=0) as producer:
        await producer.send_and_wait(TOPIC, value)


async def consume():
    async with AIOKafkaConsumer(
        bootstrap_servers=BROKER,
        group_id=GROUP,
        enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=FETCH_WAIT_MS,
    ) as consumer:
        begin(consumer, [TopicPartition(WARM_TOPIC, 0)])
        await consumer.getone()
        await consumer.commit()
        clock.start()
        begin(consumer, [TopicPartition(TOPIC, number) for number in range(PARTITIONS)])
        count = size = 0
        while count < COUNT:
            found = await consumer.getmany(timeout_ms=1000, max_records=min(TAKEN, COUNT - count))
            for records in found.values():
                count += len(records)
                size += sum(len(record.value) for record in records)
        await consumer.commit()
        clock.stop(count, size)


def begin(consumer, partitions):
    consumer.assign(partitions)
    for partition in partitions:
        consumer.seek(partition, 0)


uvloop.run({"produce": produce, "consume": consume, "one by one": one_by_one, "connect": connect_each_time}[WORK]())
