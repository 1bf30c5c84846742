"""Recovery: after a rebalance, tables are read from their changelogs, and then the streams go on.

It takes the place of Faust's `faust.tables.recovery.Recovery` (0.15.3), which reads changelogs record by record
through the agents' consumer, swallows errors while it applies them, and can apply records to the wrong table.
Here a consumer of its own reads them (as Kafka Streams' restore consumer does) from the offset that the store
has, a batch at a time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord
from faust.tables.manager import TableManager as FaustTableManager
from faust.types import TP
from mode import Service

from streamapp.joins.rows import Row
from streamapp.stores.partition import PartitionStore
from streamapp.stores.table import Table

__all__ = ["Recovery", "TableManager"]


class Recovery(Service):
    """Brings the tables' partitions up to date after each rebalance, then starts the streams."""

    def __init__(self, app: Any, tables: Any, **kwargs: Any) -> None:
        self.app = app
        self.tables = tables
        #: Set while the assigned partitions are up to date and the streams run.
        self.completed = asyncio.Event()
        self.in_recovery = False
        self._running: asyncio.Task[None] | None = None
        super().__init__(**kwargs)

    def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Give up a recovery that is under way: at its end the agents would go on, amid the rebalance."""
        self.completed.clear()
        if self._running is not None:
            self._running.cancel()

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Begin a recovery of the partitions that are assigned now."""
        self.completed.clear()
        await self._give_up()
        if not self.should_stop:  # a rebalance that was under way when the stop began still ends
            active = {tp for tp in self.app.assignor.assigned_actives() if tp in assigned}
            self._running = asyncio.create_task(self._recover(active, generation_id))
            self._running.add_done_callback(self._failed)

    async def on_stop(self) -> None:
        """Give up a recovery that is under way, before the stores are closed."""
        await self._give_up()

    async def _give_up(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    def _failed(self, running: asyncio.Task[None]) -> None:
        if not running.cancelled() and (error := running.exception()) is not None:
            self.add_future(self.app.crash(error))

    async def _recover(self, active: set[TP], generation: int) -> None:
        started, rows = time.monotonic(), 0
        self.in_recovery = self.app.in_recovery = True
        stores = {
            tp: self.tables._changelogs[tp.topic].partition(tp.partition).committed
            for tp in active
            if isinstance(self.tables._changelogs.get(tp.topic), Table)
        }
        if stores:
            rows = await self._restore(stores)
        self.in_recovery = self.app.in_recovery = False
        await self._start_streams(generation)
        self.log.info(
            "Ready: %d table partitions, %d changelog records read in %.2f s",
            len(stores),
            rows,
            time.monotonic() - started,
        )

    async def _restore(self, stores: dict[TP, PartitionStore]) -> int:
        reader = AIOKafkaConsumer(
            **self.app.settings.aiokafka(), enable_auto_commit=False, max_partition_fetch_bytes=4 << 20
        )
        await reader.start()
        try:
            partitions = [TopicPartition(*tp) for tp in stores]
            reader.assign(partitions)
            begins = await reader.beginning_offsets(partitions)
            ends = await reader.end_offsets(partitions)
            behind = set()
            for tp, store in stores.items():
                start = self._start(tp, store, begins[tp], ends[tp])
                reader.seek(TopicPartition(*tp), start)
                if start < ends[tp]:
                    behind.add(TopicPartition(*tp))
            reader.pause(*(tp for tp in partitions if tp not in behind))
            rows = 0
            while behind:
                for tp, records in (await reader.getmany(timeout_ms=200, max_records=20_000)).items():
                    rows += len(records)
                    _apply(stores[tp], records)
                for tp in list(behind):
                    if await reader.position(tp) >= ends[tp]:
                        behind.discard(tp)
            return rows
        finally:
            await reader.stop()

    def _start(self, tp: TP, store: PartitionStore, begin: int, end: int) -> int:
        if store.offset is None:
            return begin
        if store.offset > end:
            self.log.warning(
                "%s[%d] ends at %d, but the store has read up to %d: the topic was made anew or cut off; "
                "the store is cleared and read again",
                *tp,
                end,
                store.offset,
            )
            store.clear()
            return begin
        return max(begin, store.offset)

    async def _start_streams(self, generation: int) -> None:
        app, consumer = self.app, self.app.consumer
        await app.on_rebalance_complete.send()
        if app.consumer_generation_id != generation:
            return  # another rebalance began; its own recovery follows
        consumer.resume_partitions({tp for tp in consumer.assignment() if tp.topic not in self.tables.changelog_topics})
        self.completed.set()
        app.flow_control.resume()
        consumer.resume_flow()
        await asyncio.shield(app._fetcher.maybe_start())  # a start that is broken off is not made up for
        self.tables.on_actives_ready()
        self.tables.on_standbys_ready()
        app.on_rebalance_end()


def _apply(store: PartitionStore, records: Iterable[ConsumerRecord[bytes, bytes]]) -> None:
    """Put changelog records into a store: of each key the last one counts."""
    changes: dict[bytes, Row | None] = {}
    offset = 0
    for record in records:
        changes[record.key] = None if record.value is None else Row(record.value, record.timestamp)
        offset = record.offset
    store.write(changes, offset + 1)


class TableManager(FaustTableManager):
    """Faust's table manager, with our recovery."""

    _recovery: Any = None

    @property
    def recovery(self) -> Any:
        """The recovery service."""
        if self._recovery is None:
            self._recovery = Recovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

    async def on_start(self) -> None:
        """Register the tables at once: Faust waits a second here, for agents that it waits for anyway."""
        await self._update_channels()
        await self.recovery.start()
