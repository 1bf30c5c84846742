"""Consume, transform, produce: results and the offsets of what they were made of are one transaction.

Whoever reads the results with `isolation.level=read_committed` sees each exactly once, whatever is killed when. The
`transactional.id` stays the same over restarts: the broker ends what was left open under it, and shuts out whoever
still works under it. The `group.instance.id` gives a program that comes back its partitions at once.

A transaction costs some round trips, so there is one for many records.

    BROKER=127.0.0.1:9092 TOPIC=numbers OUTPUT=doubled GROUP=doubling NAME=a \
        python examples/clients/confluent_kafka/transactions.py
"""

from __future__ import annotations

import os

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, Producer

BROKER = os.environ.get("BROKER", "127.0.0.1:9092")
TOPIC = os.environ.get("TOPIC", "numbers")
OUTPUT = os.environ.get("OUTPUT", "doubled")
GROUP = os.environ.get("GROUP", "doubling")
#: Another one for each program of the group.
NAME = os.environ.get("NAME", "a")


def transform(message: Message) -> bytes:
    """Return twice the number."""
    if (error := message.error()) is not None:
        raise KafkaException(error)
    return b"%d" % (2 * int(message.value() or b""))


def in_one_transaction(consumer: Consumer, producer: Producer, messages: list[Message]) -> None:
    """Send the results, and up to where they are made; all of it or nothing."""
    producer.begin_transaction()
    try:
        for message in messages:
            producer.produce(OUTPUT, transform(message), message.key())
        read_to = [place for place in consumer.position(consumer.assignment()) if place.offset >= 0]
        producer.send_offsets_to_transaction(read_to, consumer.consumer_group_metadata())
        producer.commit_transaction()
    except KafkaException as exc:
        if not exc.args[0].txn_requires_abort():
            raise  # another one is at work under our name, or this is a fault in the program
        producer.abort_transaction()
        for place in consumer.committed(consumer.assignment()):
            place.offset = place.offset if place.offset >= 0 else OFFSET_BEGINNING
            consumer.seek(place)


def main() -> None:
    """Double the numbers of a topic until Ctrl-C."""
    producer = Producer({"bootstrap.servers": BROKER, "transactional.id": f"{GROUP}-{NAME}", "linger.ms": 5})
    producer.init_transactions()
    options = {"bootstrap.servers": BROKER, "group.id": GROUP, "group.instance.id": NAME}
    read = {"auto.offset.reset": "earliest", "enable.auto.commit": False, "isolation.level": "read_committed"}
    with Consumer({**options, **read}) as consumer:
        consumer.subscribe([TOPIC])
        while True:
            if messages := consumer.consume(500, timeout=0.2):
                in_one_transaction(consumer, producer, messages)


if __name__ == "__main__":
    main()
