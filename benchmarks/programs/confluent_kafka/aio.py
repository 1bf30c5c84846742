"""Produces or consumes a topic with the asyncio clients of confluent-kafka, and says what that took."""

import asyncio
from collections import deque

from client_task import BYTES, COUNT, PARTITIONS, TAKEN, TOPIC, VALUES, WARM_TOPIC, WORK, Clock, messages
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.aio import AIOConsumer, AIOProducer
from librdkafka import CONSUMER, PRODUCER

#: Messages under way, from which on the program waits: with more than 100,000 librdkafka's queue would be full.
UNDER_WAY = 50_000

clock = Clock()


async def produce():
    async with AIOProducer(PRODUCER) as producer:
        await send(producer, VALUES[0])
        clock.start()
        count = 0
        # Not callbacks: the client calls them in its threads, which asyncio's futures do not allow for.
        answers = deque()
        for value in messages():
            answers.append(await producer.produce(TOPIC, value=value))
            while len(answers) > UNDER_WAY and not answers[0].done():
                await producer.poll(0.01)
            while answers and answers[0].done():
                answers.popleft().result()
                count += 1
        await producer.flush()
        for answer in answers:
            answer.result()
            count += 1
        clock.stop(count, count * BYTES)


async def send(producer, value):
    answer = await producer.produce(TOPIC, value=value)
    await producer.flush()
    answer.result()


async def one_by_one():
    async with AIOProducer(PRODUCER) as producer:
        await send(producer, VALUES[0])
        clock.start()
        for value in messages():
            await send(producer, value)
        clock.stop(COUNT, COUNT * BYTES)


async def connect_each_time():
    await send_alone(VALUES[0])
    clock.start()
    for value in messages():
        await send_alone(value)
    clock.stop(COUNT, COUNT * BYTES)


async def send_alone(value):
    async with AIOProducer(PRODUCER) as producer:
        await send(producer, value)


async def consume():
    async with AIOConsumer(CONSUMER) as consumer:
        await consumer.assign([TopicPartition(WARM_TOPIC, 0, 0)])
        taken(await consumer.consume(1))
        await consumer.commit(asynchronous=False)
        await consumer.list_topics(TOPIC)  # as in client.py
        clock.start()
        await consumer.assign([TopicPartition(TOPIC, number, 0) for number in range(PARTITIONS)])
        count = size = 0
        while count < COUNT:
            for value in taken(await consumer.consume(min(TAKEN, COUNT - count), 1.0)):
                count += 1
                size += len(value)
        await consumer.commit(asynchronous=False)
        clock.stop(count, size)


def taken(found):
    for message in found:
        if message.error():
            raise KafkaException(message.error())
    return [message.value() for message in found]


asyncio.run({"produce": produce, "consume": consume, "one by one": one_by_one, "connect": connect_each_time}[WORK]())
