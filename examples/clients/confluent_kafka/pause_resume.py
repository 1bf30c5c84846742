"""More than can be worked on: the consumer pauses at a high watermark, and resumes at a low one.

A loop that stops polling while too much is in hand is put out of its group after `max.poll.interval.ms`; one that
breaks off loses what it has fetched; one that goes on fills the memory. A paused consumer fetches nothing, and is
polled all the same: it keeps its partitions.

One thread works, in order. What it is done with is stored, as `offset + 1`, and librdkafka commits what is stored every
second. Before partitions go to another member, all in hand is finished.

    BROKER=127.0.0.1:9092 TOPIC=numbers GROUP=slow HIGH=100 LOW=20 \
        python examples/clients/confluent_kafka/pause_resume.py
"""

from __future__ import annotations

import os
import threading
import time
from queue import Queue, SimpleQueue

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

BROKER = os.environ.get("BROKER", "127.0.0.1:9092")
TOPIC = os.environ.get("TOPIC", "numbers")
GROUP = os.environ.get("GROUP", "slow")
#: Records in hand at which it pauses, and resumes.
HIGH, LOW = int(os.environ.get("HIGH", "100")), int(os.environ.get("LOW", "20"))
#: Seconds that the work on a record takes.
WORK_S = float(os.environ.get("WORK_S", "0.01"))

in_hand: Queue[Message] = Queue()
done: SimpleQueue[Message] = SimpleQueue()


def work() -> None:
    """Do what is in hand, one after the other."""
    while True:
        message = in_hand.get()
        time.sleep(WORK_S)
        done.put(message)
        in_hand.task_done()


def store(consumer: Consumer) -> None:
    """Store what is done; by the thread that polls, since a consumer is one thread's."""
    while not done.empty():
        consumer.store_offsets(done.get())


def finish(consumer: Consumer, _: list[TopicPartition]) -> None:
    """Finish what is in hand, and commit it, before its partitions are another member's."""
    in_hand.join()
    store(consumer)
    consumer.commit(asynchronous=False)


def main() -> None:
    """Work on a topic until Ctrl-C."""
    options = {"bootstrap.servers": BROKER, "group.id": GROUP, "auto.offset.reset": "earliest"}
    with Consumer({**options, "enable.auto.offset.store": False, "auto.commit.interval.ms": 1000}) as consumer:
        consumer.subscribe([TOPIC], on_revoke=finish)
        threading.Thread(target=work, daemon=True).start()
        paused = False
        while True:
            message = consumer.poll(0.05)  # while it is paused, too
            if message is not None:
                if (error := message.error()) is not None:
                    raise KafkaException(error)
                in_hand.put(message)
            store(consumer)
            if not paused and in_hand.qsize() >= HIGH:
                consumer.pause(consumer.assignment())
                paused = True
                print(f"paused with {in_hand.qsize()} in hand", flush=True)
            elif paused and in_hand.qsize() <= LOW:
                consumer.resume(consumer.assignment())
                paused = False
                print(f"resumed with {in_hand.qsize()} in hand", flush=True)


if __name__ == "__main__":
    main()
