"""Produces or consumes a topic with kafka-python, and says what that took."""

import json
import os
import resource
import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

BROKER, TOPIC = os.environ["BROKER"], os.environ["TOPIC"]
COUNT, BYTES, PARTITIONS = (int(os.environ[name]) for name in ("COUNT", "BYTES", "PARTITIONS"))


def produce():
    value = os.environ["VALUE"].encode() * (BYTES // 100)
    acks = os.environ["ACKS"]
    how = {"acks": "all"} if acks == "idempotent" else {"acks": 1 if acks == "1" else acks}
    codec = None if os.environ["COMPRESSION"] == "none" else os.environ["COMPRESSION"]
    producer = KafkaProducer(
        bootstrap_servers=BROKER,
        compression_type=codec,
        linger_ms=50,
        batch_size=1 << 18,
        enable_idempotence=acks == "idempotent",
        **how,
    )
    answers = [producer.send(TOPIC, value) for _ in range(COUNT)]
    producer.flush()
    done = sum(answer.succeeded() for answer in answers)
    producer.close()
    return done, done * len(value)


def connect_each_time():
    value = os.environ["VALUE"].encode()
    for _ in range(COUNT):
        producer = KafkaProducer(bootstrap_servers=BROKER)
        producer.send(TOPIC, value).get(30)
        producer.close()
    return COUNT, COUNT * len(value)


def consume():
    count = size = 0
    consumer = KafkaConsumer(bootstrap_servers=BROKER, group_id=None, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(TOPIC, number) for number in range(PARTITIONS)])
    while count < COUNT:
        for records in consumer.poll(timeout_ms=1000, max_records=1000).values():
            count += len(records)
            size += sum(len(record.value) for record in records)
    consumer.close()
    return count, size


work = {"produce": produce, "consume": consume, "connect": connect_each_time}[os.environ["WORK"]]
begin = time.perf_counter()
records, size = work()
seconds = time.perf_counter() - begin
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"records": records, "bytes": size, "seconds": seconds, "cpu": used.ru_utime + used.ru_stime}))
