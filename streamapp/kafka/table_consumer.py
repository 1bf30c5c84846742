"""The consumer of topics whose records are rows of tables: changelogs, and those of global tables.

Read from aiokafka 0.14.0 (`aiokafka/consumer/fetcher.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import READ_COMMITTED
from faust.types import TP

from streamapp.kafka.clients import aiokafka
from streamapp.kafka.insides import Client, Fetcher
from streamapp.kafka.record import Record
from streamapp.kafka.record_reader import take
from streamapp.kafka.topic_metadata import Described, delete_retention_ms, describe
from streamapp.kafka.unreadable import keep_bytes
from streamapp.settings import Settings

__all__ = ["TableConsumer"]

#: Bytes that one fetch brings of a partition: few requests, and little memory for a worker with many partitions.
FETCH_BYTES: Final = 4 << 20


class TableConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """Reads raw records, from offsets that it is told."""

    _fetcher: Fetcher
    _client: Client

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            **aiokafka(settings),
            enable_auto_commit=False,
            auto_offset_reset="none",  # a table cannot be read on from elsewhere
            max_partition_fetch_bytes=FETCH_BYTES,
        )

    async def start(self) -> None:
        """Connect to the broker; a KafkaError if it is not there."""
        try:
            await super().start()
        except BaseException:
            await self.stop()  # else aiokafka tells in the log that nobody has
            raise
        # aiokafka would not ask a broker for more while anything of it is not taken yet, for so many seconds (0.1).
        self._fetcher._prefetch_backoff = 0
        keep_bytes(self._fetcher)

    async def describe(self, topics: Collection[str]) -> dict[str, Described]:
        """Return what the broker tells of topics; see `streamapp.kafka.topic_metadata.describe`."""
        return await describe(self._client, topics)

    async def delete_retention_ms(self, topic: str) -> int:
        """Return how long (ms) a topic keeps tombstones."""
        return await delete_retention_ms(self._client, topic)

    def read_committed(self) -> None:
        """From now on, leave out what is in transactions that were aborted, or are open.

        Not from the start: the end offsets would leave out what comes after the begin of an open transaction. It may
        be committed yet, and a store may be beyond it.
        """
        self._fetcher._isolation_level = READ_COMMITTED

    def fetched(self) -> asyncio.Future[None]:
        """Return what is done when the next fetch has come."""
        return self._fetcher._create_fetch_waiter()

    def take(self, partitions: Collection[TP], most: int, most_bytes: int) -> dict[TP, list[Record]]:
        """Take the records that are there; see `streamapp.kafka.record_reader.take`."""
        return take(self._fetcher, set(partitions), most, most_bytes)
