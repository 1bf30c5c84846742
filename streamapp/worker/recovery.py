"""Recovery: after a rebalance, tables are read from their changelogs, and then the streams go on.

It takes the place of Faust's `faust.tables.recovery.Recovery` (0.15.3), which reads changelogs record by record
through the agents' consumer, swallows errors while it applies them, and can apply records to the wrong table.
Here `Restore` reads them, a batch at a time.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable
from typing import Any, Final

from aiokafka.errors import KafkaError
from faust.tables.manager import TableManager as FaustTableManager
from faust.types import TP
from mode import Service

from streamapp.kafka.group import passes
from streamapp.runtime.refill import refill
from streamapp.runtime.restore import Restore
from streamapp.stores.errors import StoreBehindError, StoreUnreachableError
from streamapp.stores.partition import PartitionStore
from streamapp.worker.table import Table

__all__ = ["Recovery", "TableManager"]

#: Seconds before a recovery is tried again that met a store or a broker which is away.
WAIT: Final = 1.0
#: Seconds between two looks of the standbys for what the changelogs have got.
FOLLOW_EVERY: Final = 1.0
#: Seconds after which a standby that was in step is looked at as one of which nothing is known: the worker was frozen.
FOLLOWED_S: Final = 30.0


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
        """Begin a recovery of the partitions that are assigned now; then follow the changelogs of the standbys."""
        self.completed.clear()
        await self._give_up()
        if not self.should_stop:  # a rebalance that was under way when the stop began still ends
            standby = {tp for tp in self.app.assignor.assigned_standbys() if tp in assigned}
            # Not the assignor's actives: an app without tables has another assignor, which Faust does not ask for them.
            active = {TP(*tp) for tp in assigned} - standby
            self._running = asyncio.create_task(self._recover(active, standby, generation_id))
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

    async def _recover(self, active: set[TP], standby: set[TP], generation: int) -> None:
        self.in_recovery = self.app.in_recovery = True
        stores = self._stores(active)
        if not await self.app.checkpoint.open(active):  # what a killed worker left open is aborted, not waited for
            return
        positions = self.app.consumer.positions
        going_on = {tp.partition for tp in positions.progressed}
        restore = await self._restored(stores, losses=self.app.losses, going_on=going_on, inputs=positions.ids)
        if not await self._refill(restore) or not await self.app.checkpoint.resume(active):
            return
        self.in_recovery = self.app.in_recovery = False
        for table in self.tables.values():
            await table.on_recovery_completed(active, standby)
        await self._start_streams(generation)
        self.log.info(
            "Ready: %d table partitions, %s changelog records read in %.2f s%s",
            len(stores),
            f"{restore.records:,}",
            restore.seconds,
            f" ({restore.records / restore.seconds:,.0f} a second)" if restore.records else "",
        )

        if standby:
            await self._follow(self._stores(standby))

    async def _follow(self, stores: dict[TP, PartitionStore]) -> None:
        """Keep the rows of partitions that other workers own, until the next rebalance.

        Whoever gets one of them then has only the rest of its changelog to read.
        """
        caught_up = False
        in_step_s = -math.inf
        while True:
            try:
                followed = time.monotonic() - in_step_s < FOLLOWED_S
                restore = await self._restored(stores, standby=True, followed=followed)
            except KafkaError as exc:
                self.log.warning("The standbys wait: %r", exc)
            else:
                in_step_s = time.monotonic()
                if not caught_up:
                    self.log.info(
                        "Standby: %d table partitions, %s changelog records read", len(stores), f"{restore.records:,}"
                    )
                caught_up = True
            await asyncio.sleep(FOLLOW_EVERY)

    def _stores(self, changelogs: Iterable[TP]) -> dict[TP, PartitionStore]:
        return {
            tp: self.tables._changelogs[tp.topic].partition(tp.partition).committed
            for tp in changelogs
            if isinstance(self.tables._changelogs.get(tp.topic), Table)
        }

    async def _refill(self, restore: Restore) -> bool:
        """Write rows to changelogs that were made anew; return whether it was possible, else the group rebalances."""
        for tp in sorted(restore.succeeding):
            rows = self.tables._changelogs[tp.topic].partition(tp.partition)
            if not await refill(self.app.checkpoint, rows, restore.ids.get(tp.topic)):
                return False
        return True

    async def _restored(self, stores: dict[TP, PartitionStore], **options: Any) -> Restore:
        while True:
            try:
                restore = Restore(self.app.settings, stores, **options)
                if stores:
                    await restore.run()
            except (StoreUnreachableError, StoreBehindError, KafkaError) as exc:
                if isinstance(exc, KafkaError) and not passes(exc):
                    raise
                self.log.warning("The recovery waits: %s", exc)
                await asyncio.sleep(WAIT)
            else:
                return restore

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
        if app.assignor.moved:
            consumer.rejoin()


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
