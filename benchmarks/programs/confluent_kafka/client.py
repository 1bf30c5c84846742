"""Produces or consumes a topic with confluent-kafka, and says what that took; arguments are settings."""

import json
import os
import resource
import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

BROKER, TOPIC, GROUP = os.environ["BROKER"], os.environ["TOPIC"], os.environ["GROUP"]
COUNT, BYTES, PARTITIONS = (int(os.environ[name]) for name in ("COUNT", "BYTES", "PARTITIONS"))
SETTINGS = dict(setting.split("=", 1) for setting in sys.argv[1:])
failed = 0


def heard(error, _):
    global failed
    failed += error is not None


def produce():
    value = os.environ["VALUE"].encode() * (BYTES // 100)
    idempotent = os.environ["ACKS"] == "idempotent"
    acks = {"enable.idempotence": True} if idempotent else {"acks": os.environ["ACKS"]}
    codec = {"compression.type": os.environ["COMPRESSION"], "linger.ms": 50}
    producer = Producer({"bootstrap.servers": BROKER, **codec, **acks, **SETTINGS})
    for _ in range(COUNT):
        while True:
            try:
                producer.produce(TOPIC, value, on_delivery=heard)
                break
            except BufferError:
                producer.poll(0.01)
        producer.poll(0)
    producer.flush()
    return COUNT - failed, (COUNT - failed) * len(value)


def connect_each_time():
    value = os.environ["VALUE"].encode()
    for _ in range(COUNT):
        producer = Producer({"bootstrap.servers": BROKER})
        producer.produce(TOPIC, value, on_delivery=heard)
        producer.flush()
    return COUNT - failed, (COUNT - failed) * len(value)


def consume():
    consumer = Consumer({"bootstrap.servers": BROKER, "group.id": GROUP, "enable.auto.commit": False, **SETTINGS})
    consumer.assign([TopicPartition(TOPIC, number, 0) for number in range(PARTITIONS)])
    count = size = 0
    while count < COUNT:
        for message in consumer.consume(1000, 1.0):
            if message.error():
                raise KafkaException(message.error())
            count += 1
            size += len(message.value())
    return count, size


work = {"produce": produce, "consume": consume, "connect": connect_each_time}[os.environ["WORK"]]
begin = time.perf_counter()
records, size = work()
seconds = time.perf_counter() - begin
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"records": records, "bytes": size, "seconds": seconds, "cpu": used.ru_utime + used.ru_stime}))
