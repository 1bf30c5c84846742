"""A table whose rows are raw bytes with an event time, written a batch at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import faust
from aiokafka.errors import MessageSizeTooLargeError

from streamapp.batching.output import Result
from streamapp.joins.rows import Row
from streamapp.stores.partition import Changes, PartitionStore
from streamapp.stores.store import PartitionedStore

__all__ = ["Table"]

#: Expired rows removed at once: bounds how long the clicks behind them wait.
EXPIRE_AT_ONCE: Final = 10_000


class Table(faust.Table):  # type: ignore[type-arg]
    """A Faust table of `Row`, changelog-backed, keyed by the bytes of the source topic's keys.

    The changelog's records have the row's value and its event time as their timestamp, so that the changelog
    can be read by anyone; a tombstone deletes. Keys are not encoded once more (Faust puts them into JSON), so a
    key is in the same partition of the source and the changelog, and is routed to the worker that has it.
    """

    app: Any
    data: PartitionedStore

    def _serializer_from_type(self, typ: Any) -> str:
        return "raw"

    def partition(self, number: int) -> PartitionStore:
        """Give the rows of a partition that this worker owns.

        Raises:
            KeyError: if it does not own it.
        """
        return self.data.partitions[number]

    def row(self, key: bytes) -> Row | None:
        """Give the row of a key from the partitions that this worker owns."""
        return self.data.get(key)

    async def write(self, partition: int, changes: Changes) -> None:
        """Write rows of a partition: first to the changelog, then, once the broker has them, to the store.

        In this order the store never has what the changelog lacks: after a crash, rows and changelog agree, and
        the input that was not committed is processed again on top of the state it found the first time.

        Raises:
            KafkaError: if the broker did not take the changelog's records; then nothing is written.
        """
        if not changes:
            return
        store = self.partition(partition)
        records: list[Result] = [
            (key, None, None, []) if row is None else (key, row.value, row.timestamp, [])
            for key, row in changes.items()
        ]
        sent = await self.app.producer.send_batch(self.changelog_topic_name, partition, records)
        if sent.refused:
            raise MessageSizeTooLargeError(
                f"{self.changelog_topic_name} refuses {len(sent.refused)} rows for their size (max.message.bytes)"
            )
        store.write(changes, sent.offset)

    async def expire(self, partition: int, before: int | None) -> int:
        """Remove the rows of a partition that are older than an event time (ms); None removes nothing.

        Returns:
            how many rows went.
        """
        if before is None:
            return 0
        count = 0
        async for keys in self._expired(partition, before):
            await self.write(partition, dict.fromkeys(keys))
            count += len(keys)
        return count

    async def _expired(self, partition: int, before: int) -> AsyncIterator[list[bytes]]:
        while keys := self.partition(partition).expired(before, EXPIRE_AT_ONCE):
            yield keys
