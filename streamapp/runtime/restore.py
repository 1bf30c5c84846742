"""Restores the partitions of tables from their changelogs, whole record batches at a time.

A consumer of its own reads them, as Kafka Streams' restore consumer does, from the offset that a store has up to where
the changelog ended when the restore began."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Collection, Mapping
from typing import Final

from aiokafka.errors import OffsetOutOfRangeError
from faust.types import TP

from streamapp.joins.rows import Row
from streamapp.kafka.record import Record
from streamapp.kafka.table_consumer import TableConsumer
from streamapp.runtime.losses import Losses
from streamapp.settings import Settings
from streamapp.stores.partition import PartitionStore, keep_in_step
from streamapp.stores.standing import UNKNOWN, Changelog, Fit, Standing, fit, is_too_old

__all__ = ["Misfit", "Restore"]

logger = logging.getLogger(__name__)

#: Records of a partition, and bytes of their values, that are written at once: the event loop stands still meanwhile.
RESTORE_RECORDS: Final = 10_000
RESTORE_BYTES: Final = 4 << 20
#: Seconds of what ages are told in.
AGE_UNITS_S: Final = ((86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds"))
#: Seconds between two lines in the log about a restore that takes long.
REPORT_INTERVAL_S: Final = 5.0


@dataclasses.dataclass(frozen=True)
class Misfit:
    """A store that cannot be read on from where it is, but from the beginning of its changelog."""

    tp: TP
    fit: Fit
    #: Of the store.
    offset: int | None
    standing: Standing
    changelog: Changelog

    def __str__(self) -> str:
        """Return why the store is cleared."""
        changes = f"{self.changelog.end - self.changelog.begin:,}"
        return (
            f"The store of {self.tp.topic}[{self.tp.partition}] is complete up to {self.offset}, but {self._why}; the "
            f"store is cleared and restored, from at most {changes} changelog records"
        )

    @property
    def _why(self) -> str:
        match self.fit:
            case Fit.TOO_OLD:
                return (
                    f"it was in step with the changelog {self._age}, longer than tombstones are sure to stay there "
                    "(delete.retention.ms), so rows may have been deleted since of which nothing tells any more"
                )
            case Fit.HEAD_GONE:
                return f"the changelog begins at {self.changelog.begin}: changes in between, deletions too, are gone"
            case Fit.TAIL_GONE:
                return f"the changelog ends at {self.changelog.end}: the topic was made anew, or has lost records"
            case _:
                return (
                    f"the changelog was deleted and made anew (id {self.standing.topic_id}, now "
                    f"{self.changelog.topic_id}), and what it has by now counts"
                )

    @property
    def _age(self) -> str:
        # Only stores of which it is known are too old.
        seconds = (self.changelog.asked_ms - (self.standing.in_step_ms or 0)) / 1000
        unit, name = next((unit, name) for unit, name in AGE_UNITS_S if abs(seconds) >= unit or unit == 1)
        when = "ago" if seconds >= 0 else "in the future, by its clock"
        return f"{abs(seconds) / unit:,.1f} {name} {when}"

    @property
    def lost(self) -> int:
        """How many changes of the table are gone, at most."""
        offset, begin = self.offset or 0, self.changelog.begin
        if self.fit is Fit.TAIL_GONE:
            return begin + max(0, offset - self.changelog.end)
        return max(0, begin - offset) if self.fit is Fit.HEAD_GONE else begin

    @property
    def loss(self) -> str:
        """What the table has lost."""
        if self.fit is Fit.TAIL_GONE:
            gone = f"ends at offset {self.changelog.end}, and the table had changes up to {self.offset}"
        else:
            gone = f"begins at offset {self.changelog.begin}: what was before it was deleted"
        return (
            f"{self.tp.topic}[{self.tp.partition}]: the changelog {gone}; {self.lost:,} changes at most are gone, and "
            "with them rows of the table that have not changed since (is its cleanup.policy compact?)"
        )


@dataclasses.dataclass
class Restore:
    """Brings stores up to date with their changelogs.

    A store has at any time the offset up to which it is complete: what a restore has done before it was cancelled, the
    next one need not do again.
    """

    settings: Settings
    #: By the partition of their changelog.
    stores: Mapping[TP, PartitionStore]
    _: dataclasses.KW_ONLY
    #: Told of rows that are gone; None = of no use.
    losses: Losses | None = None
    #: Whether other workers own the rows.
    standby: bool = False
    #: Whether the stores were in step some moments ago; then they are not too old.
    followed: bool = False
    #: Numbers of the partitions whose input the group goes on with, where it has got to.
    going_on: Collection[int] = ()
    #: Ids of the topics that the rows come of; None = not known.
    inputs: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        #: The wall clock (ms) before it was asked where the changelogs end, and the ids of their topics.
        self._asked_ms = 0
        self.ids: dict[str, str | None] = {}
        #: Partitions whose rows are to be written to a changelog that was made anew, once it is read; and standbys that
        #: wait for that.
        self.succeeding: set[TP] = set()
        self._waiting: set[TP] = set()
        #: When stores were cleared that are being rebuilt (s); and how long topics keep tombstones.
        self._rebuilt: dict[TP, float] = {}
        self._retentions_ms: dict[str, int] = {}
        #: Partitions whose stores had nothing yet, and are written in bulk.
        self._empty: set[TP] = set()
        #: Where the changelogs end that are not read to their ends yet.
        self._ends: dict[TP, int] = {}
        #: By partition, how many changelog records are still to be read, at most.
        self._left: dict[TP, int] = {}
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
        for tp in self.stores.keys() - self.succeeding - self._waiting:
            keep_in_step(self.stores[tp], self._asked_ms, topic_id=self.ids.get(tp.topic), inputs=self.inputs)
        self.seconds = time.monotonic() - self._began

    async def _read_to_the_ends(self) -> bool:
        """Return whether it was possible, or a changelog was cut off meanwhile."""
        async with TableConsumer(self.settings) as reader:
            await self._begin(reader)
            try:
                while self._ends:
                    await self._read(reader)
            except OffsetOutOfRangeError:
                return False
            return True

    async def _begin(self, reader: TableConsumer) -> None:
        self._asked_ms = int(time.time() * 1000)
        begins = await reader.beginning_offsets(self.stores)
        ends = await reader.end_offsets(self.stores)
        self.ids = {topic: told.id for topic, told in (await reader.describe({tp.topic for tp in self.stores})).items()}
        reader.read_committed()
        await self._prepare(
            reader,
            {tp: Changelog(self.ids.get(tp.topic), begins[tp], ends[tp], self._asked_ms) for tp in self.stores},
        )
        positions = {}
        self._ends.clear()
        for tp, store in self.stores.items():
            offset = None if tp in self.succeeding else store.offset
            if store.offset is None:
                self._empty.add(tp)
            positions[tp] = begins[tp] if offset is None else offset
            if positions[tp] < ends[tp] and tp not in self._waiting:
                self._ends[tp] = ends[tp]
        self._left = {tp: end - positions[tp] for tp, end in self._ends.items()}
        # Up to the seeks nothing is awaited: aiokafka would look for committed offsets, of which there are none.
        if self._ends:  # a standby that has all would tell in the log, each second, that it reads nothing
            reader.assign(list(self._ends))
        for tp in self._ends:
            reader.seek(tp, positions[tp])

    async def _prepare(self, reader: TableConsumer, changelogs: Mapping[TP, Changelog]) -> None:
        """Clear stores that do not go with their changelogs, once it is told what is lost."""
        self.succeeding.clear()
        self._waiting.clear()
        fits = {tp: await self._fit(reader, tp, changelog) for tp, changelog in changelogs.items()}
        misfits = [
            Misfit(tp, found, self.stores[tp].offset, self.stores[tp].standing, changelogs[tp])
            for tp, found in fits.items()
            if found not in (Fit.GOES_ON, Fit.SUCCEEDS)
        ]
        if self.losses is not None:
            self.losses.report({misfit.tp: (misfit.loss, misfit.lost) for misfit in misfits if misfit.lost})
        for misfit in misfits:
            if misfit.fit is not Fit.EMPTY:
                logger.warning("%s", misfit)
                self.stores[misfit.tp].clear()
                self._rebuilt[misfit.tp] = time.monotonic()
        for tp, found in fits.items():
            if found is Fit.SUCCEEDS:
                self._succeed(tp, changelogs[tp])

    async def _fit(self, reader: TableConsumer, tp: TP, changelog: Changelog) -> Fit:
        store = self.stores[tp]
        offset, standing = store.offset, store.standing
        found = fit(offset, standing, changelog)
        if found is Fit.SUCCEEDS and not self._may_succeed(tp, standing, changelog):
            return Fit.REPLACED
        if found is Fit.GOES_ON and offset != changelog.end and not self.followed:
            if tp.topic not in self._retentions_ms:
                self._retentions_ms[tp.topic] = await reader.delete_retention_ms(tp.topic)
            if is_too_old(standing, self._asked_ms, self._retentions_ms[tp.topic]):
                return Fit.TOO_OLD
        return found

    def _may_succeed(self, tp: TP, standing: Standing, changelog: Changelog) -> bool:
        """Return whether the rows of a store may be what a new changelog is to have.

        They may not if the group has begun anew, as `streamapp reset` has it: then they are what nobody wants.
        """
        if self.standby:
            return changelog.begin == changelog.end
        return standing.successor is not None or tp.partition in self.going_on

    def _succeed(self, tp: TP, changelog: Changelog) -> None:
        if self.standby:
            self._waiting.add(tp)  # whoever owns the rows writes them; till then these are a copy
            return
        self.succeeding.add(tp)
        store = self.stores[tp]
        if store.standing.successor is None:  # whatever happens from here on
            store.stand(store.standing.succeeded_by(changelog.topic_id or UNKNOWN))

    async def _read(self, reader: TableConsumer) -> None:
        fetched = reader.fetched()
        taken = reader.take(self._ends, RESTORE_RECORDS, RESTORE_BYTES)
        for tp in list(self._ends):
            position = await reader.position(tp)
            self._left[tp] = max(0, self._ends[tp] - position)
            if tp in taken or position >= self._ends[tp]:
                self._write(tp, taken.get(tp, []), position)
            if position >= self._ends[tp]:
                del self._ends[tp]
                if (began := self._rebuilt.pop(tp, None)) is not None:
                    rows, seconds = len(self.stores[tp]), time.monotonic() - began
                    logger.info("The store of %s[%d] is rebuilt: about %s rows, in %.1f s", *tp, f"{rows:,}", seconds)
            await asyncio.sleep(0)
        if self._ends and not taken:  # what was left may have been a transaction's marker
            await asyncio.wait([fetched], timeout=REPORT_INTERVAL_S)
        fetched.cancel()
        self._report()

    @property
    def left(self) -> int:
        """How many changelog records are still to be read, at most."""
        return sum(self._left.values())

    @property
    def seconds_left(self) -> float | None:
        """How long that takes (s), as fast as it went so far; None = not known."""
        return self.left * (time.monotonic() - self._began) / self.records if self.records else None

    def _write(self, tp: TP, records: list[Record], position: int) -> None:
        write = self.stores[tp].restore if tp in self._empty else self.stores[tp].write
        write(_changes(records), position)
        self.records += len(records)

    def _report(self) -> None:
        now = time.monotonic()
        if now < self._reported + REPORT_INTERVAL_S:
            return
        self._reported = now
        logger.info(
            "Restoring %d table partitions: %s changelog records read, %s a second, at most %s to go",
            len(self.stores),
            f"{self.records:,}",
            f"{self.records / (now - self._began):,.0f}",
            f"{self.left:,}",
        )


def _changes(records: list[Record]) -> dict[bytes, Row | None]:
    """Return what the records say, of each key the last one."""
    return {
        key: None if (value := record.value) is None else Row(value, record.timestamp)
        for record in records
        if (key := record.key) is not None  # a compacted topic takes no other
    }
