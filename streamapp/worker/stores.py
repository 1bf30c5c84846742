"""Faust's stores, by URL: each keeps the partitions of a table that this worker has in one of the engines.

Each imports its engine when it is made: that of the Redis client or of RocksDB is a tenth of a worker's start.
"""

from __future__ import annotations

import abc
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from faust.stores.base import SerializedStore
from faust.types import TP

from streamapp.runtime.uncommitted import OrderedUncommitted, Uncommitted
from streamapp.stores.errors import StoreError
from streamapp.worker.app import App
from streamapp.worker.table import Table

if TYPE_CHECKING:
    import redis

    from streamapp.stores.partition import PartitionStore

__all__ = ["MemoryStore", "PartitionedStore", "RedisStore", "RocksDBStore"]


class PartitionedStore(SerializedStore[object, object], abc.ABC):
    """One `PartitionStore` for each partition that is assigned, and what is not committed to it yet."""

    app: App
    table: Table

    def __post_init__(self) -> None:
        self.partitions: dict[int, Uncommitted] = {}

    @property
    def ordered(self) -> bool:
        """Whether rows are read in the order of their keys."""
        return self.table.ordered

    @abc.abstractmethod
    def open(self, partition: int) -> PartitionStore:
        """Open a partition; a StoreError if it cannot be had."""

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Close the partitions that went away and open those that came."""
        changelog = self.table.changelog_topic_name
        owned = {tp.partition for tp in assigned if tp.topic == changelog}
        for partition in self.partitions.keys() - owned:
            self.partitions.pop(partition).committed.close()
        for partition in owned - self.partitions.keys():
            tp = TP(changelog, partition)
            if self.ordered:
                self.partitions[partition] = OrderedUncommitted(self.open(partition), tp)
            else:
                self.partitions[partition] = Uncommitted(self.open(partition), tp)

    async def on_stop(self) -> None:
        """Close all partitions."""
        while self.partitions:
            self.partitions.popitem()[1].committed.close()

    def _get(self, key: bytes) -> bytes | None:
        return self.table.find(key)

    def _set(self, key: bytes, value: bytes | None) -> None:
        self.table.put(key, value)

    def _del(self, key: bytes) -> None:
        self.table.put(key, None)

    def _contains(self, key: bytes) -> bool:
        return self._get(key) is not None

    def _iteritems(self) -> Iterator[tuple[bytes, bytes]]:
        return self.table.entries()

    def _iterkeys(self) -> Iterator[bytes]:
        return (key for key, _ in self.table.entries())

    def _itervalues(self) -> Iterator[bytes]:
        return (value for _, value in self.table.entries())

    def _size(self) -> int:
        return sum(map(len, self.partitions.values()))

    def _clear(self) -> None:
        raise NotImplementedError(f"table {self.table_name} is cleared key by key, as Faust's in RocksDB are")

    def apply_changelog_batch(self, *_args: object, **_options: object) -> NoReturn:
        """Refuse: our recovery writes to the partitions themselves."""
        raise TypeError("changelogs are applied by streamapp.worker.recovery")

    async def backup_partition(self, *_args: object, **_options: object) -> NoReturn:
        """Refuse: the changelog is the backup."""
        raise StoreError(f"table {self.table_name} makes no backups: its changelog is one")

    def restore_backup(self, *_args: object, **_options: object) -> NoReturn:
        """Refuse: the changelog is the backup."""
        raise StoreError(f"table {self.table_name} has no backups: its changelog is one")

    def reset_state(self) -> None:
        """Remove all rows of the partitions that are open (`faust reset`)."""
        for partition in self.partitions.values():
            partition.committed.clear()


class MemoryStore(PartitionedStore):
    """The store ``batched-memory://``."""

    def open(self, partition: int) -> PartitionStore:
        """Return an empty partition."""
        from streamapp.stores.memory import MemoryPartition, OrderedMemoryPartition

        return OrderedMemoryPartition() if self.ordered else MemoryPartition()


class RedisStore(PartitionedStore):
    """The store ``batched-redis://``, with TLS ``batched-rediss://``; keys begin with app id, table and partition."""

    @functools.cached_property
    def _client(self) -> redis.Redis:
        from streamapp.stores.redis import connect

        return connect(self.app.settings)

    async def on_stop(self) -> None:
        """Close all partitions and the connections."""
        await super().on_stop()
        self._client.close()

    def open(self, partition: int) -> PartitionStore:
        """Open a partition; Redis is asked when its rows are."""
        from streamapp.stores.redis import open_partition

        name = f"{self.app.conf.id}:{self.table_name}:{partition}"
        return open_partition(self._client, name, self.app.settings, ordered=self.ordered)


class RocksDBStore(PartitionedStore):
    """The store ``batched-rocksdb://``: a directory for each partition below Faust's ``tabledir``."""

    def open(self, partition: int) -> PartitionStore:
        """Open, or make, the database of a partition."""
        from streamapp.stores.rocksdb import RocksDBPartition, shared

        path = Path(self.app.conf.tabledir) / f"{self.table_name}-{partition}.rocksdb"
        path.parent.mkdir(parents=True, exist_ok=True)
        return RocksDBPartition(path, shared(self.app.settings.cache), aging=not self.ordered)
