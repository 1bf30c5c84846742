"""Restores the partitions of tables from their changelogs, whole record batches at a time.

A consumer of its own reads them, as Kafka Streams' restore consumer does, from the offset that a store has up to where
the changelog ended when the restore began. Read from aiokafka 0.14.0 (`aiokafka/consumer/fetcher.py`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.errors import OffsetOutOfRangeError
from faust.types import TP

from streamapp.batching.batch import Record
from streamapp.batching.records import take
from streamapp.batching.unreadable import keep_bytes
from streamapp.joins.rows import Row
from streamapp.settings import Settings
from streamapp.stores.partition import PartitionStore

__all__ = ["Restore"]

logger = logging.getLogger(__name__)

#: Bytes that one fetch brings of a partition: few requests, and little memory for a worker with many partitions.
FETCH: Final = 4 << 20
#: Records of a partition, and bytes of their values, that are written at once: the event loop stands still meanwhile.
RECORDS: Final = 10_000
BYTES: Final = 4 << 20
#: Seconds between two lines in the log about a restore that takes long.
REPORT: Final = 5.0


class Restore:
    """Brings stores up to date with their changelogs.

    A store has at any time the offset up to which it is complete: what a restore has done before it was cancelled, the
    next one need not do again.

    Args:
        settings: where the broker is.
        stores: by the partition of their changelog.
    """

    def __init__(self, settings: Settings, stores: Mapping[TP, PartitionStore]) -> None:
        self._settings = settings
        self._stores = stores
        #: Partitions whose stores had nothing yet, and are written in bulk.
        self._empty: set[TP] = set()
        #: Where the changelogs end that are not read to their ends yet.
        self._ends: dict[TP, int] = {}
        self._began = self._reported = time.monotonic()
        #: Changelog records that were read, and the seconds that it took.
        self.records = 0
        self.seconds = 0.0

    async def run(self) -> None:
        """Read the changelogs up to where they end now.

        Raises:
            KafkaError: if the broker refuses to have them read, or is not there.
            StoreError: if a store cannot be written.
            UnreadableBatchError: if a changelog cannot be read.
        """
        while not await self._read_to_the_ends():
            pass
        self.seconds = time.monotonic() - self._began

    async def _read_to_the_ends(self) -> bool:
        """Tell whether it was possible, or a changelog was cut off meanwhile."""
        async with AIOKafkaConsumer(
            **self._settings.aiokafka(),
            enable_auto_commit=False,
            auto_offset_reset="none",  # a changelog cannot be read on from elsewhere
            max_partition_fetch_bytes=FETCH,
        ) as reader:
            await self._begin(reader)
            try:
                while self._ends:
                    await self._read(reader)
            except OffsetOutOfRangeError:
                return False
            return True

    async def _begin(self, reader: AIOKafkaConsumer) -> None:
        begins = await reader.beginning_offsets(self._stores)
        ends = await reader.end_offsets(self._stores)
        fetcher: Any = reader._fetcher
        # Not from the start: `ends` would leave out what comes after the begin of an open transaction. It may be
        # committed yet, and a store may be beyond it.
        fetcher._isolation_level = READ_COMMITTED
        # aiokafka would not ask a broker for more while anything of it is not taken yet, for so many seconds (0.1).
        fetcher._prefetch_backoff = 0
        keep_bytes(fetcher)
        positions = {}
        self._ends.clear()
        for tp, store in self._stores.items():
            _check(tp, store, begins[tp], ends[tp])
            if store.offset is None:
                self._empty.add(tp)
            positions[tp] = begins[tp] if store.offset is None else store.offset
            if positions[tp] < ends[tp]:
                self._ends[tp] = ends[tp]
        # Up to the seeks nothing is awaited: aiokafka would look for committed offsets, of which there are none.
        reader.assign(list(self._ends))
        for tp in self._ends:
            reader.seek(tp, positions[tp])

    async def _read(self, reader: AIOKafkaConsumer) -> None:
        fetcher: Any = reader._fetcher
        fetched = fetcher._create_fetch_waiter()
        taken = take(fetcher, set(self._ends), RECORDS, BYTES)
        for tp in list(self._ends):
            position = await reader.position(tp)
            if tp in taken or position >= self._ends[tp]:
                self._write(tp, taken.get(tp, []), position)
            if position >= self._ends[tp]:
                del self._ends[tp]
            await asyncio.sleep(0)
        if self._ends and not taken:  # what was left may have been a transaction's marker
            await asyncio.wait([fetched], timeout=REPORT)
        fetched.cancel()
        await self._report(reader)

    def _write(self, tp: TP, records: list[Record], position: int) -> None:
        store = self._stores[tp]
        write = store.restore if tp in self._empty else store.write
        write(_changes(records), position)
        self.records += len(records)

    async def _report(self, reader: AIOKafkaConsumer) -> None:
        now = time.monotonic()
        if now < self._reported + REPORT:
            return
        self._reported = now
        left = sum([end - await reader.position(tp) for tp, end in self._ends.items()])
        logger.info(
            "Restoring %d table partitions: %s changelog records read, %s a second, at most %s to go",
            len(self._stores),
            f"{self.records:,}",
            f"{self.records / (now - self._began):,.0f}",
            f"{left:,}",
        )


def _check(tp: TP, store: PartitionStore, begin: int, end: int) -> None:
    """Clear a store that does not go with its changelog."""
    if store.offset is None or begin <= store.offset <= end:
        return
    if store.offset > end:
        what = f"ends at {end}: the topic was made anew, or has lost records"
    else:
        what = f"begins at {begin}: changes in between, deletions too, are gone"
    logger.warning(
        "The store of %s[%d] is complete up to %d, but the changelog %s; the store is cleared and restored",
        tp.topic,
        tp.partition,
        store.offset,
        what,
    )
    store.clear()


def _changes(records: list[Record]) -> dict[bytes, Row | None]:
    """Give what the records say, of each key the last one."""
    return {
        key: None if (value := record.value) is None else Row(value, record.timestamp)
        for record in records
        if (key := record.key) is not None  # a compacted topic takes no other
    }
