"""A Faust store made of partitions: opened when they are assigned, closed when they are given back."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator
from typing import Any

from faust.stores.base import SerializedStore
from faust.types import TP

from streamapp.runtime.uncommitted import OrderedUncommitted, Uncommitted
from streamapp.stores.errors import StoreError
from streamapp.stores.partition import PartitionStore

__all__ = ["PartitionedStore"]


class PartitionedStore(SerializedStore[Any, Any], abc.ABC):
    """Keeps one `PartitionStore` for each partition that this worker owns, and what is not committed to it yet.

    As a mapping it has what its table finds and takes in.
    """

    app: Any
    table: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.partitions: dict[int, Uncommitted] = {}

    @property
    def ordered(self) -> bool:
        """Whether rows are read in the order of their keys."""
        return bool(self.table.ordered)

    @abc.abstractmethod
    def open(self, partition: int) -> PartitionStore:
        """Open a partition.

        Raises:
            StoreError: if it cannot be had.
        """

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Close the partitions that went away and open those that came."""
        changelog = self.table.changelog_topic_name
        owned = {tp.partition for tp in assigned if tp.topic == changelog}
        for partition in self.partitions.keys() - owned:
            self.partitions.pop(partition).committed.close()
        for partition in owned - self.partitions.keys():
            uncommitted: Any = OrderedUncommitted if self.ordered else Uncommitted
            self.partitions[partition] = uncommitted(self.open(partition), TP(changelog, partition))

    async def on_stop(self) -> None:
        """Close all partitions."""
        while self.partitions:
            self.partitions.popitem()[1].committed.close()

    def _get(self, key: bytes) -> bytes | None:
        return self.table.find(key)  # type: ignore[no-any-return]

    def _set(self, key: bytes, value: bytes | None) -> None:
        self.table.put(key, value)

    def _del(self, key: bytes) -> None:
        self.table.put(key, None)

    def _contains(self, key: bytes) -> bool:
        return self._get(key) is not None

    def _iteritems(self) -> Iterator[tuple[bytes, bytes]]:
        yield from self.table.entries()

    def _iterkeys(self) -> Iterator[bytes]:
        yield from (key for key, _ in self._iteritems())

    def _itervalues(self) -> Iterator[bytes]:
        yield from (value for _, value in self._iteritems())

    def _size(self) -> int:
        return sum(map(len, self.partitions.values()))

    def _clear(self) -> None:
        raise NotImplementedError(f"table {self.table_name} is cleared key by key, as Faust's in RocksDB are")

    def apply_changelog_batch(self, batch: Iterable[Any], to_key: Any, to_value: Any) -> None:
        """Refuse: our recovery writes to the partitions themselves."""
        raise TypeError("changelogs are applied by streamapp.worker.recovery")

    async def backup_partition(self, tp: TP | int, flush: bool = True, purge: bool = False, keep: int = 1) -> None:
        """Refuse: the changelog is the backup."""
        raise StoreError(f"table {self.table_name} makes no backups: its changelog is one")

    def restore_backup(self, tp: TP | int, latest: bool = True, backup_id: int = 0) -> None:
        """Refuse: the changelog is the backup."""
        raise StoreError(f"table {self.table_name} has no backups: its changelog is one")

    def reset_state(self) -> None:
        """Remove all rows of the partitions that are open (`faust reset`)."""
        for partition in self.partitions.values():
            partition.committed.clear()
