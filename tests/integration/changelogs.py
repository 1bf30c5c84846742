"""A changelog that tests write, and the stores that are restored from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from driven_app import DEADLINE
from faust.types import TP
from topics import Topics
from worker import wait_until

from streamapp.joins import Row
from streamapp.runtime.restore import Restore
from streamapp.settings import Settings
from streamapp.stores.memory import MemoryPartition
from streamapp.stores.partition import PartitionStore
from streamapp.stores.rocksdb import RocksDBPartition, shared

__all__ = ["LONG", "STORES", "Changelog", "rows", "transactions"]

STORES: dict[str, Callable[[Path], PartitionStore]] = {
    "memory": lambda _: MemoryPartition(),
    "rocksdb": lambda path: RocksDBPartition(path / "db", shared(8 << 20)),
}


#: Milliseconds after which a changelog begins another segment; and a value whose event time is later than that.
SEGMENT, LONG = 100, b"." * 1_000


class Changelog:
    """A changelog, written as any client would."""

    def __init__(self, bootstrap: str, partitions: int = 1) -> None:
        self._topics = Topics(bootstrap, "restored", partitions)
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        self.topic = f"{self._topics.prefix}changelog"
        self.make()

    def make(self) -> None:
        """Make it such that it can be cut off; its older segments are compacted, for which Kafka looks each 15 s."""
        config = {"cleanup.policy": "compact,delete", "min.cleanable.dirty.ratio": "0", "segment.ms": str(SEGMENT)}
        self._topics.create("changelog", config=config)

    def make_anew(self) -> None:
        self._admin.delete_topics([self.topic])[self.topic].result(DEADLINE)
        wait_until(lambda: not self._topics.exists("changelog"), "the changelog is gone")
        self.make()

    def write(self, *changes: tuple[str, bytes | None], partition: int = 0) -> None:
        """Write records, each in a record batch of its own, with their values' lengths as their event times."""
        for key, value in changes:
            self._topics.send("changelog", key, value, at=len(value or b""), partition=partition)
            self._topics.flush()

    def row(self, value: bytes) -> Row:
        """Give the row that a restore makes of a value."""
        return Row(value, self._topics.now + len(value))

    def transactions(self) -> Producer:
        """Give a producer that writes in transactions."""
        return transactions(self._topics)

    def in_transaction(self, producer: Producer, *changes: tuple[str, bytes | None]) -> None:
        """Write records in a transaction that stays open."""
        producer.begin_transaction()
        for key, value in changes:
            at = self._topics.now + len(value or b"")
            producer.produce(self.topic, key=key, value=value, partition=0, timestamp=at)
        producer.flush()

    def keep_tombstones(self, retention_ms: int) -> None:
        """Set how long tombstones stay in it."""
        self._topics.alter(self.topic, {"delete.retention.ms": str(retention_ms)})

    def cut_off(self, offset: int) -> None:
        """Delete the records before an offset."""
        before = TopicPartition(self.topic, 0, offset)
        for deleted in self._admin.delete_records([before]).values():
            deleted.result()

    def end(self) -> int:
        """Count the offsets, transactions' markers too."""
        return self._topics.end("changelog")

    def records(self) -> int:
        """Count the records that are there."""
        return len(self._topics.read("changelog"))

    def restore(self, *stores: PartitionStore, **options: Any) -> Restore:
        """Prepare the restore of a store for each partition."""
        partitions = {TP(self.topic, number): store for number, store in enumerate(stores)}
        return Restore(Settings(broker=self._topics.bootstrap), partitions, **options)

    def restored(self, *stores: PartitionStore, **options: Any) -> int:
        """Restore a store for each partition, and give how many records were read."""
        restore = self.restore(*stores, **options)
        asyncio.run(asyncio.wait_for(restore.run(), DEADLINE))
        return restore.records


def transactions(topics: Topics) -> Producer:
    producer = Producer({"bootstrap.servers": topics.bootstrap, "transactional.id": topics.id})
    producer.init_transactions()
    return producer


def rows(store: PartitionStore) -> dict[bytes, Row]:
    return dict(store.items())
