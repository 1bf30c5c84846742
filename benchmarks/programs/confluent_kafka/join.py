"""The loop that one writes by hand on confluent-kafka: profiles in a dict, which is read again at each start."""

import os
import signal
import sys
import time

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

BROKER, GROUP = os.environ["BROKER"], os.environ["GROUP"]
PROFILES, CLICKS, JOINED = os.environ["PROFILES"], os.environ["CLICKS"], os.environ["JOINED"]
COMMIT_EVERY = 5.0

consumer_config = {
    "bootstrap.servers": BROKER,
    "group.id": GROUP,
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "partition.assignment.strategy": "range",
    **dict(setting.split("=", 1) for setting in sys.argv[1:]),
}
profiles = {}
running = True


def stop(*_):
    global running
    running = False


def keep(message):
    if message.value() is None:
        profiles.pop(message.key(), None)
    else:
        profiles[message.key()] = orjson.loads(message.value())


def read_profiles(partitions):
    """Read the profiles to their present end; give the position of each partition."""
    reader = Consumer(consumer_config | {"enable.partition.eof": True})
    positions = dict.fromkeys(partitions, OFFSET_BEGINNING)
    reader.assign([TopicPartition(PROFILES, partition, OFFSET_BEGINNING) for partition in partitions])
    unread = set(partitions)
    while unread and running:
        for message in reader.consume(1000, 0.01):
            if message.error() is None:
                keep(message)
                positions[message.partition()] = message.offset() + 1
            elif message.error().code() == KafkaError._PARTITION_EOF:
                unread.discard(message.partition())
            else:
                raise KafkaException(message.error())
    reader.close()
    return positions


def on_assign(consumer, assigned):
    positions = read_profiles([tp.partition for tp in assigned if tp.topic == PROFILES])
    for tp in assigned:
        if tp.topic == PROFILES:
            tp.offset = positions[tp.partition]
    consumer.assign(assigned)


def on_delivery(error, _message):
    if error is not None:
        raise KafkaException(error)


def main():
    consumer = Consumer(consumer_config)
    producer = Producer(
        {
            "bootstrap.servers": BROKER,
            "compression.type": "lz4",
            "linger.ms": int(os.environ["LINGER_MS"]),
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 500_000,
        }
    )
    consumer.subscribe([PROFILES, CLICKS], on_assign=on_assign)
    committed_at = time.monotonic()
    while running:
        for message in consumer.consume(1000, 0.01):
            if message.error():
                raise KafkaException(message.error())
            if message.topic() == PROFILES:
                keep(message)
            elif (profile := profiles.get(message.key())) is not None:
                click = orjson.loads(message.value())
                joined = orjson.dumps({"click": click, "profile": profile, "join_timestamp": time.time()})
                while True:
                    try:
                        producer.produce(JOINED, joined, message.key(), on_delivery=on_delivery)
                        break
                    except BufferError:
                        producer.poll(0.01)
        producer.poll(0)
        if time.monotonic() - committed_at > COMMIT_EVERY:
            producer.flush()
            commit(consumer)
            committed_at = time.monotonic()
    producer.flush()
    commit(consumer)
    consumer.close()


def commit(consumer):
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as exc:
        if exc.args[0].code() != KafkaError._NO_OFFSET:
            raise


signal.signal(signal.SIGTERM, stop)
main()
