"""A producer that hears what became of each record, and waits while too many are under way.

`produce` only puts a record into a queue. Whether the broker has it, is told to the callback alone, and the callback is
called from within `poll` and `flush` alone. When the queue is full, `produce` raises a `BufferError`: it says wait, and
whoever takes it for a failure loses a record.

    BROKER=127.0.0.1:9092 TOPIC=numbers COUNT=100000 python examples/clients/confluent_kafka/produce.py
"""

from __future__ import annotations

import os
import sys
from collections import Counter

from confluent_kafka import KafkaError, Message, Producer

BROKER = os.environ.get("BROKER", "127.0.0.1:9092")
TOPIC = os.environ.get("TOPIC", "numbers")
COUNT = int(os.environ.get("COUNT", "1000"))
#: Records that may be under way.
ROOM = int(os.environ.get("ROOM", "10000"))

outcomes: Counter[str] = Counter()


def heard(error: KafkaError | None, _: Message) -> None:
    """Note what became of a record; a real one would note which."""
    outcomes["delivered" if error is None else f"failed ({error.name()})"] += 1


def send(producer: Producer, value: bytes) -> None:
    """Put a record into the queue, once there is room."""
    while True:
        try:
            producer.produce(TOPIC, value, on_delivery=heard)
        except BufferError:
            outcomes["waits"] += 1
            producer.poll(0.1)  # room comes with the answers
        else:
            producer.poll(0)  # whatever has been answered meanwhile
            return


def main() -> int:
    """Send the numbers, and tell what became of them."""
    producer = Producer(
        {
            "bootstrap.servers": BROKER,
            "enable.idempotence": True,  # a record that is sent again is there once, and the order is kept
            "linger.ms": 20,
            "compression.type": "lz4",
            "queue.buffering.max.messages": ROOM,
        }
    )
    for number in range(COUNT):
        send(producer, b"%d" % number)
    producer.flush()
    print(dict(outcomes))
    return 0 if outcomes["delivered"] == COUNT else 1


if __name__ == "__main__":
    sys.exit(main())
