"""Tables as this worker has them: how much there is in each partition, and how far that is."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Sequence
from typing import cast

import msgspec

from streamapp.stores.errors import StoreUnreachableError
from streamapp.stores.snapshot import ClosedError
from streamapp.topology import App
from streamapp.topology.processor import JoinProcessor
from streamapp.worker.table import Table

__all__ = ["At", "Kind", "PartitionState", "StandbyState", "TableState", "at", "kind_of", "measured", "processor_of"]


class Kind(enum.StrEnum):
    """What a table is."""

    #: Rows by key: of an agent, or those that a join looks up.
    TABLE = "table"
    #: The state of a join, of windows, of functions, …: it is asked by key.
    JOIN = "join"
    WINDOW = "window"
    PROCESS = "process"
    ENRICHMENT = "enrichment"
    OPERATOR = "operator"


class At(msgspec.Struct, frozen=True, kw_only=True):
    """Where something was read, and how far that was."""

    partition: int
    #: The URL of the worker.
    worker: str
    #: The changelog offset up to which (exclusive) the rows were complete.
    offset: int
    #: How many records of the changelog they lack.
    lag: int
    #: How many rows were written that are not committed: scans leave them out, a look-up by key has them.
    uncommitted: int
    #: The event clock (ms) of the join, or the largest event time of a row; null = there was none so far.
    clock: int | None
    #: Whether all is of one moment; a scan in Redis is not.
    exact: bool = True


class PartitionState(msgspec.Struct, frozen=True, kw_only=True):
    """A partition of a table; what is not known is null, and `reason` says why."""

    partition: int
    #: The URL of the worker that has it.
    owner: str | None = None
    #: How many rows are committed, and their bytes where they are kept; estimates where they are on disk.
    rows: int | None = None
    bytes: int | None = None
    offset: int | None = None
    lag: int | None = None
    uncommitted: int | None = None
    clock: int | None = None
    #: When (ms since 1970, wall clock) it was last noted that it has all of its changelog; each 30 s at most.
    in_step: int | None = None
    reason: str | None = None


class StandbyState(msgspec.Struct, frozen=True, kw_only=True):
    """A partition that a worker follows, so that it has the rows when the owner goes."""

    partition: int
    #: The URL of the worker.
    worker: str
    rows: int
    bytes: int
    #: The changelog offset up to which (exclusive) they are complete.
    offset: int
    #: When (ms since 1970, wall clock) it was last noted that it has all of its changelog.
    in_step: int | None


class TableState(msgspec.Struct, frozen=True, kw_only=True):
    """A table, with its partitions wherever they are."""

    name: str
    help: str
    kind: Kind
    changelog: str
    #: Of the partitions of which they are known.
    rows: int
    bytes: int
    #: The largest one; null = of a partition it is not known.
    lag: int | None
    clock: int | None
    partitions: list[PartitionState]
    #: Of the workers that answer.
    standbys: list[StandbyState] = []

    def with_partitions(
        self, partitions: Sequence[PartitionState], standbys: Sequence[StandbyState] = ()
    ) -> TableState:
        """Return the same table with these partitions."""
        clocks = [one.clock for one in partitions if one.clock is not None]
        lags = [one.lag for one in partitions if one.lag is not None]
        return msgspec.structs.replace(
            self,
            rows=sum(one.rows or 0 for one in partitions),
            bytes=sum(one.bytes or 0 for one in partitions),
            lag=max(lags, default=0) if len(lags) == len(partitions) else None,
            clock=max(clocks, default=None),
            partitions=sorted(partitions, key=lambda one: one.partition),
            standbys=sorted(standbys, key=lambda one: (one.partition, one.worker)),
        )

    @classmethod
    def of(cls, table: Table) -> TableState:
        """Return a table without its partitions."""
        kind, name = kind_of(table), table.changelog_topic_name
        return cls(
            name=table.name,
            help=table.help,
            kind=kind,
            changelog=name,
            rows=0,
            bytes=0,
            lag=None,
            clock=None,
            partitions=[],
        )


def processor_of(table: Table) -> JoinProcessor[object] | None:
    """Return what a table is the state of."""
    return cast("JoinProcessor[object]", table.owner) if table.ordered and table.owner is not None else None


def kind_of(table: Table) -> Kind:
    """Return what a table is."""
    processor = processor_of(table)
    return Kind.TABLE if processor is None else Kind(processor.noun)


async def at(app: App, table: Table, partition: int, offset: int | None = None, *, exact: bool = True) -> At:
    """Return how far something that was read from a partition here is; None = what a look-up by key reads.

    Raises:
        KeyError: if this worker does not have the partition.
        ClosedError: the same, found out later.
    """
    rows, processor = table.partition(partition), processor_of(table)
    measure = await asyncio.to_thread(rows.committed.measure)
    offset = measure.offset if offset is None else offset
    return At(
        partition=partition,
        worker=str(app.conf.canonical_url),
        offset=offset,
        lag=rows.lag(offset),
        uncommitted=rows.uncommitted,
        clock=measure.newest if processor is None else processor.clock(partition),
        exact=exact,
    )


async def measured(app: App, table: Table) -> TableState:
    """Return a table with the partitions that this worker has."""
    followed = sorted(table.data.partitions.keys() - table.owned.keys())
    return TableState.of(table).with_partitions(
        [await _measured(app, table, number) for number in sorted(table.owned)],
        [one for number in followed if (one := await _followed(app, table, number)) is not None],
    )


async def _followed(app: App, table: Table, number: int) -> StandbyState | None:
    """Return how a standby stands; None if it is none any more, or its store is away."""
    try:
        store = table.partition(number).committed
        measure, standing = await asyncio.to_thread(lambda: (store.measure(), store.standing))
    except (KeyError, ClosedError, StoreUnreachableError):
        return None
    return StandbyState(
        partition=number,
        worker=str(app.conf.canonical_url),
        rows=measure.rows,
        bytes=measure.bytes,
        offset=measure.offset,
        in_step=standing.in_step_ms,
    )


async def _measured(app: App, table: Table, number: int) -> PartitionState:
    owner, processor = str(app.conf.canonical_url), processor_of(table)
    try:
        rows = table.partition(number)
        measure, standing = await asyncio.to_thread(lambda: (rows.committed.measure(), rows.committed.standing))
        clock = measure.newest if processor is None else processor.clock(number)
    except (KeyError, ClosedError):
        return PartitionState(partition=number, reason="it is moving to another worker")
    except StoreUnreachableError as exc:
        return PartitionState(partition=number, owner=owner, reason=str(exc))
    return PartitionState(
        partition=number,
        owner=owner,
        rows=measure.rows,
        bytes=measure.bytes,
        offset=measure.offset,
        lag=rows.lag(measure.offset),
        uncommitted=rows.uncommitted,
        clock=clock,
        in_step=standing.in_step_ms,
    )
