"""Recovery: after a rebalance, tables are read from their changelogs, and then the streams go on.

It takes the place of Faust's `faust.tables.recovery.Recovery` (0.15.3), which reads changelogs record by record
through the agents' consumer, swallows errors while it applies them, and can apply records to the wrong table.
Here `Restore` reads them, a batch at a time.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Final, cast

from aiokafka.errors import KafkaError
from faust.tables.manager import TableManager as FaustTableManager
from faust.types import TP
from mode import Service

from streamapp.kafka.group import passes
from streamapp.runtime.restore import Restore
from streamapp.runtime.uncommitted import Uncommitted
from streamapp.stores.errors import StoreBehindError, StoreUnreachableError
from streamapp.stores.partition import PartitionStore
from streamapp.stores.standing import Standing
from streamapp.worker.app import App
from streamapp.worker.assignor import Assignor
from streamapp.worker.consumer import Consumer
from streamapp.worker.table import Table

__all__ = ["Recovery", "TableManager"]

#: Seconds before a recovery is tried again that met a store or a broker which is away.
RECOVERY_RETRY_S: Final = 1.0
#: Seconds between two looks of the standbys for what the changelogs have got.
STANDBY_INTERVAL_S: Final = 1.0
#: Seconds after which a standby that was in step is looked at as one of which nothing is known: the worker was frozen.
STANDBY_IN_STEP_S: Final = 30.0
#: Rows of one commit that are written to a changelog which was made anew.
REFILL_ROWS: Final = 20_000


class Recovery(Service):
    """Brings the tables' partitions up to date after each rebalance, then starts the streams."""

    def __init__(self, app: App, tables: TableManager) -> None:
        super().__init__(beacon=tables.beacon, loop=tables.loop)
        self.app = app
        self.tables = tables
        #: Set while the assigned partitions are up to date and the streams run.
        self.completed = asyncio.Event()
        self.in_recovery = False
        #: What is being read of the changelogs in a recovery; None = nothing is.
        self.restoring: Restore | None = None
        #: How long (s) the last recovery has taken, and how many changelog records were read since the start.
        self.last_s: float | None = None
        self.records = 0
        self._running: asyncio.Task[None] | None = None

    @property
    def consumer(self) -> Consumer:
        """The worker's consumer."""
        return cast(Consumer, self.app.consumer)

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
        began = time.monotonic()
        stores = self._stores(active)
        inputs = [tp for tp in active if self.app.topics.acks_enabled_for(tp.topic)]
        if not await self.app.checkpoint.open(inputs):  # what a killed worker left open is aborted, not waited for
            return
        positions, restoring = self.consumer.positions, partial(Restore, self.app.settings, stores)
        going_on = {tp.partition for tp in positions.progressed}
        restore = await self._restored(
            stores, partial(restoring, losses=self.app.losses, going_on=going_on, inputs=positions.ids)
        )
        if not await self._refill(restore) or not await self.app.checkpoint.resume(active):
            return
        self.in_recovery = self.app.in_recovery = False
        for table in self.tables.values():
            await table.on_recovery_completed(active, standby)
        await self._start_streams(generation)
        self.last_s = time.monotonic() - began
        self.records += restore.records
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
        in_step_s = -math.inf
        while True:
            try:
                followed = time.monotonic() - in_step_s < STANDBY_IN_STEP_S
                restoring = partial(Restore, self.app.settings, stores, standby=True, followed=followed)
                restore = await self._restored(stores, restoring)
            except KafkaError as exc:
                self.log.warning("The standbys wait: %r", exc)
            else:
                if in_step_s < 0:
                    self.log.info(
                        "Standby: %d table partitions, %s changelog records read", len(stores), f"{restore.records:,}"
                    )
                in_step_s = time.monotonic()
            await asyncio.sleep(STANDBY_INTERVAL_S)

    def _stores(self, changelogs: Iterable[TP]) -> dict[TP, PartitionStore]:
        return {
            tp: table.partition(tp.partition).committed
            for tp in changelogs
            if isinstance(table := self.tables._changelogs.get(tp.topic), Table)
        }

    async def _refill(self, restore: Restore) -> bool:
        """Write rows to changelogs that were made anew; return whether it was possible, else the group rebalances."""
        for tp in sorted(restore.succeeding):
            rows = cast(Table, self.tables._changelogs[tp.topic]).partition(tp.partition)
            if not await self._refill_partition(rows, restore.ids.get(tp.topic)):
                return False
        return True

    async def _refill_partition(self, rows: Uncommitted, topic_id: str | None) -> bool:
        """Write all rows of a partition to its changelog, as commits like any other: nothing else has them any more.

        That it is about to be done is kept with the store, so that a worker which is killed meanwhile begins again.
        """
        before, began, count = rows.committed.standing, time.monotonic(), 0
        seen = before.in_step_ms and datetime.fromtimestamp(before.in_step_ms / 1000, UTC)
        self.log.warning(
            "The changelog %s[%d] was deleted and made anew (id %s, now %s): the rows of the store are written to it%s",
            *rows.changelog,
            before.topic_id,
            topic_id,
            f"; it was last known to be in step at {seen:%Y-%m-%d %H:%M:%S} UTC" if seen else "",
        )
        items = iter(rows.committed.items())
        while chunk := dict(itertools.islice(items, REFILL_ROWS)):
            rows.merge(chunk)
            while rows.fresh and not self.app.checkpoint.over:  # the commit that is due every second may have them, too
                await self.app.checkpoint.commit()
            if self.app.checkpoint.over:
                return False
            count += len(chunk)
        rows.committed.stand(Standing(topic_id, int(time.time() * 1000)))
        self.log.warning(
            "The changelog %s[%d] has the rows again: %s, in %.1f s",
            *rows.changelog,
            f"{count:,}",
            time.monotonic() - began,
        )
        return True

    async def _restored(self, stores: Mapping[TP, PartitionStore], make: Callable[[], Restore]) -> Restore:
        """Run a restore; one that meets a store or a broker which is away is made anew."""
        while True:
            try:
                restore = make()
                if stores:
                    self.restoring = None if restore.standby else restore
                    await restore.run()
            except (StoreUnreachableError, StoreBehindError, KafkaError) as exc:
                if isinstance(exc, KafkaError) and not passes(exc):
                    raise
                self.log.warning("The recovery waits: %s", exc)
                await asyncio.sleep(RECOVERY_RETRY_S)
            else:
                return restore
            finally:
                self.restoring = None

    async def _start_streams(self, generation: int) -> None:
        app, consumer = self.app, self.consumer
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
        if cast(Assignor, app.assignor).moved:
            consumer.rejoin()


class TableManager(FaustTableManager):
    """Faust's table manager, with our recovery."""

    app: App
    _recovery: Recovery | None = None  # type: ignore[assignment]

    @property
    def recovery(self) -> Recovery:  # type: ignore[override]
        """The recovery service."""
        if self._recovery is None:
            self._recovery = Recovery(self.app, self)
        return self._recovery

    async def on_start(self) -> None:
        """Register the tables at once: Faust waits a second here, for agents that it waits for anyway."""
        await self._update_channels()
        await self.recovery.start()
