"""Produces or consumes a topic with kafka-python, and says what that took; ``without-crc32c`` = all is Python."""

import sys

if "without-crc32c" in sys.argv:
    sys.modules["crc32c"] = None  # as if it were not installed

from client_task import (
    ACKS,
    AT_ONCE,
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
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

#: Seconds that the broker has for an answer.
DEADLINE = 30

clock = Clock()
delivered = 0


def make_producer(linger_ms=LINGER_MS):
    return KafkaProducer(
        bootstrap_servers=BROKER,
        compression_type=COMPRESSION,
        linger_ms=linger_ms,
        batch_size=BATCH_BYTES,
        max_in_flight_requests_per_connection=AT_ONCE,
        enable_idempotence=IDEMPOTENT,
        acks=ACKS,
    )


def on_delivery(_):
    global delivered
    delivered += 1


def produce():
    producer = make_producer()
    producer.send(TOPIC, VALUES[0]).get(DEADLINE)
    clock.start()
    for value in messages():
        producer.send(TOPIC, value).add_callback(on_delivery)
    producer.flush()
    clock.stop(delivered, delivered * BYTES)
    producer.close()


def one_by_one():
    producer = make_producer(linger_ms=0)
    producer.send(TOPIC, VALUES[0]).get(DEADLINE)
    clock.start()
    for value in messages():
        producer.send(TOPIC, value).get(DEADLINE)
    clock.stop(COUNT, COUNT * BYTES)
    producer.close()


def connect_each_time():
    send_alone(VALUES[0])
    clock.start()
    for value in messages():
        send_alone(value)
    clock.stop(COUNT, COUNT * BYTES)


def send_alone(value):
    producer = make_producer(linger_ms=0)
    producer.send(TOPIC, value).get(DEADLINE)
    producer.close()


def consume():
    consumer = KafkaConsumer(
        bootstrap_servers=BROKER,
        group_id=GROUP,
        enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=FETCH_WAIT_MS,
    )
    begin(consumer, [TopicPartition(WARM_TOPIC, 0)])
    while not consumer.poll(timeout_ms=1000, max_records=1):
        pass
    consumer.commit()
    consumer.partitions_for_topic(TOPIC)  # it would ask for a topic only when it is assigned
    clock.start()
    begin(consumer, [TopicPartition(TOPIC, number) for number in range(PARTITIONS)])
    count = size = 0
    while count < COUNT:
        for records in consumer.poll(timeout_ms=1000, max_records=min(TAKEN, COUNT - count)).values():
            count += len(records)
            size += sum(len(record.value) for record in records)
    consumer.commit()
    clock.stop(count, size)
    consumer.close()


def begin(consumer, partitions):
    consumer.assign(partitions)
    for partition in partitions:
        consumer.seek(partition, 0)


{"produce": produce, "consume": consume, "one by one": one_by_one, "connect": connect_each_time}[WORK]()
