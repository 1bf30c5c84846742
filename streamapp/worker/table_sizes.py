"""How large the tables of this worker are, looked at in a thread from time to time: stores take milliseconds for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, NamedTuple

from mode import Service

from streamapp.rate_limit import RateLimit
from streamapp.stores.errors import StoreError
from streamapp.stores.snapshot import ClosedError
from streamapp.worker.app import App

__all__ = ["Size", "TableSizes"]

#: Seconds between two looks.
EVERY_S: Final = 15.0
#: Seconds between two lines in the log about a look that fails.
TOLD_S: Final = 60.0


class Size(NamedTuple):
    """Rows and bytes, as the stores estimate them."""

    rows: int
    bytes: int


class TableSizes(Service):
    """Keeps the sizes of the partitions that this worker has, summed up by table."""

    def __init__(self, app: App) -> None:
        super().__init__()
        self._app = app
        #: By table, and whether it owns the partitions or only follows them: at the last look.
        self.latest: Mapping[tuple[str, bool], Size] = {}
        #: How many looks failed in a way that nobody thought of.
        self.failed = 0
        self._told = RateLimit(TOLD_S)

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await self.attempt()
            await self.sleep(EVERY_S)

    async def attempt(self) -> None:
        """Measure the partitions if that is possible by now."""
        try:
            await self.look()
        except Exception:  # to look is no reason to end the worker
            self.failed += 1
            if self._told.due("look"):
                self.log.exception("The sizes of the tables are not told: a look has failed")

    async def look(self) -> None:
        """Measure all partitions; those that are closed meanwhile, or cannot be reached, are left out."""
        actives = self._app.assignor.assigned_actives()
        parts = [
            ((table.name, rows.changelog in actives), rows.committed)
            for table in self._app.row_tables
            for rows in list(table.data.partitions.values())
        ]
        found: dict[tuple[str, bool], Size] = {}
        for of, store in parts:
            try:
                measure = await asyncio.to_thread(store.measure)
            except (ClosedError, StoreError, OSError):
                continue
            before = found.get(of, Size(0, 0))
            found[of] = Size(before.rows + measure.rows, before.bytes + measure.bytes)
        self.latest = found
