"""SIGTERM and Ctrl-C: what was begun is finished, and committed, and the group is left.

A program that is ended amid its work leaves records that were done and not committed, which the next one does again,
and a member that the group waits for until its session is over. So a signal only says that nothing new is to be begun.
The handlers come first: a signal before them would end the program as if it had none.

    BROKER=127.0.0.1:9092 TOPIC=numbers GROUP=careful python examples/clients/confluent_kafka/graceful_stop.py
"""

from __future__ import annotations

import os
import signal
import threading
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

BROKER = os.environ.get("BROKER", "127.0.0.1:9092")
TOPIC = os.environ.get("TOPIC", "numbers")
GROUP = os.environ.get("GROUP", "careful")
#: Seconds that the work on a record takes.
WORK_S = float(os.environ.get("WORK_S", "0.2"))

stopping = threading.Event()


def process(value: bytes | None) -> None:
    """Take time for a record."""
    print(f"begun {(value or b'').decode()}", flush=True)
    time.sleep(WORK_S)
    print(f"done {(value or b'').decode()}", flush=True)


def main() -> None:
    """Work on a topic until a signal comes."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    options = {"bootstrap.servers": BROKER, "group.id": GROUP, "auto.offset.reset": "earliest"}
    with Consumer({**options, "enable.auto.commit": False}) as consumer:  # at its end it leaves the group
        consumer.subscribe([TOPIC])
        while not stopping.is_set():
            done: dict[int, int] = {}
            for message in consumer.consume(100, timeout=0.2):
                if stopping.is_set():
                    break  # it was not begun
                if (error := message.error()) is not None:
                    raise KafkaException(error)
                process(message.value())
                done[message.partition() or 0] = 1 + (message.offset() or 0)
            if done:
                go_on_at = [TopicPartition(TOPIC, partition, offset) for partition, offset in done.items()]
                consumer.commit(offsets=go_on_at, asynchronous=False)


if __name__ == "__main__":
    main()
