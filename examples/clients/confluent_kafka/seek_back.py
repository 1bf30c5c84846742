"""A failure that passes: back to what is committed, and once more.

Where the next step is away for a while (here: a directory), to go on with the next record would lose this one. To end
the program has the whole group rebalance. So what was done is committed, the consumer seeks back to that, and tries
again after a pause; nothing is lost, and nothing that was committed is done twice.

    BROKER=127.0.0.1:9092 TOPIC=numbers GROUP=files FILE=out/numbers \
        python examples/clients/confluent_kafka/seek_back.py
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

BROKER = os.environ.get("BROKER", "127.0.0.1:9092")
TOPIC = os.environ.get("TOPIC", "numbers")
GROUP = os.environ.get("GROUP", "files")
FILE = Path(os.environ.get("FILE", "out/numbers"))
#: Seconds between two tries.
PAUSE_S = float(os.environ.get("PAUSE_S", "1"))


def process(message: Message) -> None:
    """Write a value down; an OSError if there is no such directory."""
    with FILE.open("ab") as file:
        file.write((message.value() or b"") + b"\n")


def seek_back(consumer: Consumer) -> None:
    """Go back to what is committed; where nothing is yet, to the beginning."""
    for partition in consumer.committed(consumer.assignment()):
        partition.offset = partition.offset if partition.offset >= 0 else OFFSET_BEGINNING
        consumer.seek(partition)


def main() -> None:
    """Write the values of a topic down until Ctrl-C."""
    options = {"bootstrap.servers": BROKER, "group.id": GROUP, "auto.offset.reset": "earliest"}
    with Consumer({**options, "enable.auto.commit": False}) as consumer:
        consumer.subscribe([TOPIC])
        while True:
            done: dict[int, int] = {}
            failed = None
            for message in consumer.consume(500, timeout=1.0):
                if (error := message.error()) is not None:
                    raise KafkaException(error)
                try:
                    process(message)
                except OSError as exc:
                    failed = exc
                    break
                done[message.partition() or 0] = 1 + (message.offset() or 0)
            if done:
                go_on_at = [TopicPartition(TOPIC, partition, offset) for partition, offset in done.items()]
                consumer.commit(offsets=go_on_at, asynchronous=False)
            if failed is not None:
                print(f"back to what is committed: {failed}", flush=True)
                seek_back(consumer)
                time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
