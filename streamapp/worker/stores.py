"""The stores as Faust knows them, by URL: each opens the partitions of a table in one of the engines.

Each imports its engine when it is made: that of the Redis client or of RocksDB is a tenth of a worker's start.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from streamapp.worker.store import PartitionedStore

if TYPE_CHECKING:
    import redis

    from streamapp.stores.partition import PartitionStore

__all__ = ["MemoryStore", "RedisStore", "RocksDBStore"]


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
