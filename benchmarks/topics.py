"""The topics of the benchmark's broker: made, filled, counted, read and deleted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from confluent_kafka.cimpl import NewTopic

from benchmarks.workload import Record, Workload

__all__ = ["Topics"]

#: Seconds that the broker has for anything.
DEADLINE: Final = 60.0
#: Records after which librdkafka is given the time to report.
POLL_EVERY: Final = 10_000


class Topics:
    """The topics of one broker.

    Args:
        bootstrap: where it is.
    """

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        # Without a refresh: a client that asks for a topic which was deleted meanwhile only makes noise.
        self._admin = AdminClient(
            {"bootstrap.servers": bootstrap, "log_level": 0, "topic.metadata.refresh.interval.ms": -1}
        )
        self._filled: set[str] = set()

    def create(self, name: str, partitions: int) -> None:
        """Make a topic; returns once each of its partitions has a leader."""
        topic = NewTopic(name, partitions, 1, config={"max.message.bytes": f"{8 << 20}"})
        self._admin.create_topics([topic])[name].result(DEADLINE)
        self._until(lambda: self.count(name, partitions) == 0, f"{name} can be read")

    def count(self, name: str, partitions: int) -> int | None:
        """Sum up the end offsets of a topic, read_uncommitted; None while a partition has no leader."""
        wanted = {TopicPartition(name, number): OffsetSpec.latest() for number in range(partitions)}
        try:
            answers = self._admin.list_offsets(wanted, request_timeout=DEADLINE).values()
            return sum(answer.result(DEADLINE).offset for answer in answers)
        except KafkaException:
            # Leaders are looked for again only when all topics are asked for.
            self._admin.list_topics(timeout=DEADLINE)
            return None

    def delete(self, part: str) -> None:
        """Delete the topics that have this in their names."""
        names = [name for name in self._admin.list_topics(timeout=DEADLINE).topics if part in name]
        for deleted in self._admin.delete_topics(names).values() if names else ():
            deleted.result(DEADLINE)

    def fill(self, workload: Workload) -> str:
        """Make and fill the topics of a workload, once; give the prefix of their names."""
        prefix = f"{workload.name}."
        if prefix not in self._filled:
            start = int(time.time() * 1000) - 240_000
            self._fill(prefix + "user_profiles", workload.partitions, workload.profiles(start), workload.users)
            self._fill(prefix + "user_clicks", workload.partitions, workload.stream(start), workload.clicks)
            self._filled.add(prefix)
        return prefix

    def read(self, name: str, partitions: int) -> Iterator[Message]:
        """Read all records of a topic that are there now."""
        consumer = Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": "benchmark", "enable.auto.commit": False}
            | {"enable.partition.eof": True, "isolation.level": "read_uncommitted"}
        )
        consumer.assign([TopicPartition(name, number, 0) for number in range(partitions)])
        unread = set(range(partitions))
        try:
            while unread:
                for message in consumer.consume(10_000, 0.1):
                    if (error := message.error()) is None:
                        yield message
                    elif error.code() == error._PARTITION_EOF:
                        unread.discard(message.partition())
                    else:
                        raise KafkaException(error)
        finally:
            consumer.close()

    def _fill(self, name: str, partitions: int, records: Iterable[Record], total: int) -> None:
        self.create(name, partitions)
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "log_level": 0,
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 50,
                "batch.size": 1 << 18,
                "message.max.bytes": 8 << 20,
                "queue.buffering.max.messages": 200_000,
                # The Java clients' choice, which Faust's producers share: a click goes where its profile is.
                "partitioner": "murmur2_random",
            }
        )
        for number, (key, value, timestamp) in enumerate(records):
            while True:
                try:
                    producer.produce(name, value, key, timestamp=timestamp)
                    break
                except BufferError:
                    producer.poll(0.05)
            if number % POLL_EVERY == 0:
                producer.poll(0)
        producer.flush()
        if (found := self.count(name, partitions)) != total:
            raise RuntimeError(f"{name}: {total:,} records were produced, {found:,} are there")

    @staticmethod
    def _until(condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {DEADLINE:.0f} s in vain: {what}")
            time.sleep(0.05)
