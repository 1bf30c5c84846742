"""The topics of the benchmark's broker: made, filled, counted, read and deleted."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec
from confluent_kafka.cimpl import NewTopic

from benchmarks.workload import Load, Record

__all__ = ["DEADLINE", "Topics", "producer"]

#: Seconds that the broker has for anything.
DEADLINE: Final = 60.0
#: Records after which librdkafka is asked what became of the earlier ones.
POLL_EVERY: Final = 10_000


class Topics:
    """The topics of one broker.

    Args:
        bootstrap: where it is.
    """

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._readers: dict[str, Consumer] = {}
        # Without a refresh: a client that asks for a topic which was deleted meanwhile only makes noise.
        self._admin = AdminClient(
            {"bootstrap.servers": bootstrap, "log_level": 0, "topic.metadata.refresh.interval.ms": -1}
        )

    def create(self, name: str, partitions: int, config: Mapping[str, str] = MappingProxyType({})) -> None:
        """Make a topic; returns once each of its partitions has a leader.

        Raises:
            TimeoutError: if it has none after a minute.
        """
        topic = NewTopic(name, partitions, 1, config={"max.message.bytes": f"{8 << 20}", **config})
        self._admin.create_topics([topic])[name].result(DEADLINE)
        end = time.monotonic() + DEADLINE
        while self.count(name, partitions) is None:
            if time.monotonic() > end:
                raise TimeoutError(f"topic {name} has no leaders after {DEADLINE:.0f} s")

    def count(self, name: str, partitions: int) -> int | None:
        """Sum up the end offsets of a topic; None if it is not there or a partition has no leader."""
        ends = {TopicPartition(name, number): OffsetSpec.latest() for number in range(partitions)}  # type: ignore[no-untyped-call]
        try:
            answers = self._admin.list_offsets(ends, request_timeout=DEADLINE).values()
            return sum(int(answer.result(DEADLINE).offset) for answer in answers)
        except KafkaException:
            # Topics and leaders are looked for again only when all are asked for.
            self._admin.list_topics(timeout=DEADLINE)
            return None

    def total(self, name: str) -> int:
        """Sum up the end offsets of a topic, whatever partitions it has; 0 = it is not there."""
        found = self._admin.list_topics(timeout=DEADLINE).topics.get(name)
        return 0 if found is None else self.count(name, len(found.partitions)) or 0

    def committed(self, group: str, name: str, partitions: int) -> int:
        """Sum up the offsets that a group has committed of a topic."""
        asked = [TopicPartition(name, number) for number in range(partitions)]
        # Not by the admin client: librdkafka 2.16 crashes (`rd_kafka_cgrp_op`) if the answer is an error.
        if group not in self._readers:
            self._readers[group] = Consumer({"bootstrap.servers": self.bootstrap, "log_level": 0, "group.id": group})
        try:
            return sum(max(0, tp.offset) for tp in self._readers[group].committed(asked, timeout=DEADLINE))
        except KafkaException:  # the group is not there yet
            return 0

    def rewind(self, group: str, name: str, partitions: int) -> None:
        """Have a group, which has no members now, read a topic from its beginning."""
        offsets = [TopicPartition(name, number, 0) for number in range(partitions)]
        for done in self._admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, offsets)]).values():
            done.result(DEADLINE)

    def warm_up(self) -> None:
        """Let a first group form: the broker makes the topic of all groups' offsets then, which takes it seconds."""
        self.create("warm-up", 1)
        with Consumer({"bootstrap.servers": self.bootstrap, "log_level": 0, "group.id": "warm-up"}) as consumer:
            consumer.subscribe(["warm-up"])
            end = time.monotonic() + DEADLINE
            while not consumer.assignment():
                if time.monotonic() > end:
                    raise TimeoutError(f"the broker forms no group in {DEADLINE:.0f} s")
                consumer.poll(0.1)

    def delete(self, part: str) -> None:
        """Delete the topics that have this in their names."""
        names = [name for name in self._admin.list_topics(timeout=DEADLINE).topics if part in name]
        for deleted in self._admin.delete_topics(names).values() if names else ():
            deleted.result(DEADLINE)

    def fill(self, prefix: str, load: Load, start: int) -> None:
        """Make the topics of a load, whose first event time is `start` (ms), and produce it."""
        for name, (number, records) in load.inputs(start).items():
            self._produce(f"{prefix}{name}", records, number, load.partitions)

    def read(self, name: str, partitions: int) -> Iterator[Message]:
        """Read all records of a topic that are there now; of transactions only what is committed (read_committed).

        Raises:
            KafkaException: if the broker does not give them.
        """
        with Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "log_level": 0,
                "group.id": "benchmark",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
            }
        ) as consumer:
            consumer.assign([TopicPartition(name, number, 0) for number in range(partitions)])
            unread = set(range(partitions))
            while unread:
                for message in consumer.consume(10_000, 0.1):
                    if (error := message.error()) is None:
                        yield message
                    elif error.code() == KafkaError._PARTITION_EOF:
                        unread.discard(message.partition())
                    else:
                        raise KafkaException(error)

    def _produce(self, name: str, records: Iterable[Record], number: int, partitions: int) -> None:
        self.create(name, partitions)
        client = producer(self.bootstrap, linger_ms=50)
        for sent, (key, value, timestamp) in enumerate(records):
            while True:
                try:
                    client.produce(name, value, key, timestamp=timestamp)
                except BufferError:
                    client.poll(0.05)
                else:
                    break
            if sent % POLL_EVERY == 0:
                client.poll(0)
        client.flush()
        if (found := self.count(name, partitions)) != number:
            raise RuntimeError(f"{name}: {number:,} records were produced, {found:,} are there")


def producer(bootstrap: str, *, linger_ms: float, compression: str = "lz4") -> Producer:
    """Make a producer that sends each key where the Java clients and Faust send it."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "log_level": 0,
            "socket.nagle.disable": True,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "compression.type": compression,
            "linger.ms": linger_ms,
            "batch.size": 1 << 18,
            "message.max.bytes": 8 << 20,
            "queue.buffering.max.messages": 200_000,
        }
    )
