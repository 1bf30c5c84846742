"""Offsets that are committed by hand, once what they stand for is done: at least once.

By default a timer commits what was handed out, done or not, and a crash loses it. What is committed is where to go on:
`offset + 1`. With `offset`, the last record of each partition would come again at each start. A commit is a round trip
to the broker, so there is one for many records.

    BROKER=127.0.0.1:9092 TOPIC=numbers GROUP=sums python examples/clients/confluent_kafka/commit.py
"""

from __future__ import annotations

import os

from confluent_kafka import Consumer, KafkaException, TopicPartition

BROKER = os.environ.get("BROKER", "127.0.0.1:9092")
TOPIC = os.environ.get("TOPIC", "numbers")
GROUP = os.environ.get("GROUP", "sums")

total = 0


def process(value: bytes | None) -> None:
    """Add a number; a value that is none ends the program, and is not committed."""
    global total
    total += int(value or b"")
    print(f"total {total}", flush=True)


def main() -> None:
    """Add the numbers of a topic until Ctrl-C."""
    options = {"bootstrap.servers": BROKER, "group.id": GROUP, "auto.offset.reset": "earliest"}
    with Consumer({**options, "enable.auto.commit": False}) as consumer:
        consumer.subscribe([TOPIC])
        while True:
            done: dict[int, int] = {}
            for message in consumer.consume(500, timeout=1.0):
                if (error := message.error()) is not None:
                    raise KafkaException(error)
                process(message.value())
                done[message.partition() or 0] = 1 + (message.offset() or 0)
            if done:
                go_on_at = [TopicPartition(TOPIC, partition, offset) for partition, offset in done.items()]
                consumer.commit(offsets=go_on_at, asynchronous=False)


if __name__ == "__main__":
    main()
