"""A global table on Kafka: all partitions of a topic, read by every worker, whichever partitions of a stream it has.

(Kafka Streams' GlobalKTable.) It is in memory, and read from the beginning of its topic at each start. What cannot be
used is logged and counted by each worker, and no dead letter: each worker would write it anew at each start.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from aiokafka.errors import KafkaError
from faust.types import TP
from mode import Service

from streamapp.formats.registered import UnfetchedError
from streamapp.formats.serde import Read
from streamapp.formats.undecodable import Reason
from streamapp.joins import GlobalTable, Joined, MemoryStore, Operator, Refused, Side, State, StreamTableJoin
from streamapp.joins import Reason as SideReason
from streamapp.joins import Record as JoinRecord
from streamapp.joins.declared import Declared, earlier
from streamapp.joins.declared import Described as DescribedJoin
from streamapp.kafka.record import Record
from streamapp.kafka.table_consumer import TableConsumer
from streamapp.kafka.topic_metadata import Described
from streamapp.kafka.unreadable import Unreadable, UnreadableBatchError
from streamapp.rate_limit import RateLimit
from streamapp.runtime.output import REJECTED_LOG_INTERVAL_S
from streamapp.settings import Guarantee
from streamapp.worker.app import App
from streamapp.worker.registry import fetched

__all__ = ["GlobalJoin", "TopicGlobalTable"]

#: Seconds between two looks whether the topic is still the same.
LOOK_S: Final = 5.0
#: Seconds that the broker has to answer them.
ANSWER_S: Final = 3.0
#: Seconds before a topic that cannot be read is tried again, the first time and at most.
AGAIN_S, AGAIN_AT_MOST_S = 0.5, 10.0


class _Rows:
    """The rows of a topic, as far as they are read, and from where to read on."""

    def __init__(self, topic: Described | None = None) -> None:
        self.topic = topic
        self.state = State(MemoryStore())
        self.table = GlobalTable(self.state)
        self.positions: dict[TP, int] = {}
        #: Where the partitions ended that are not read as far yet.
        self.behind: dict[TP, int] = {}


class TopicGlobalTable(Service):
    """A topic as a global table; made by `Topic.global_table`. The check raises `Refused` for what cannot be used.

    `read` makes of a record of the topic one whose value is JSON; None = it is such a one.
    """

    def __init__(
        self, app: App, topic: str, check: Callable[[Record], None] | None = None, read: Read | None = None
    ) -> None:
        super().__init__()
        self.app = app
        self.topic = topic
        self._check = check
        self._read_record = read
        self._logged = RateLimit(REJECTED_LOG_INTERVAL_S)
        #: What is being read: a topic that is made anew is read before its rows are shown.
        self._reading = _Rows()
        self._show(self._reading)
        #: Set once the table is as far as its topic was when the worker started.
        self.complete = asyncio.Event()

    def _show(self, rows: _Rows) -> None:
        """Have these rows looked up from now on, as those of a `GlobalTable` are."""
        self._rows = rows
        self.table = table = rows.table
        self.get, self.get_many, self.keys, self.at = table.get, table.get_many, table.keys, table.at

    @Service.task
    async def _run(self) -> None:
        wait = AGAIN_S
        while not self.should_stop:
            try:
                await self._follow()
            except UnreadableBatchError as exc:
                await self.app.crash(exc)
                return
            except (KafkaError, OSError) as exc:
                if not self.should_stop:
                    self._tell("cannot be read, and is tried again", exc)
                    await self.sleep(wait)
                    wait = min(2 * wait, AGAIN_AT_MOST_S)
            else:
                wait = AGAIN_S

    async def _follow(self) -> None:
        """Read the topic until it is another one, or has more partitions."""
        async with TableConsumer(self.app.settings) as consumer:
            topic = await self._describe(consumer)
            if topic is None:
                raise OSError(f"there is no topic {self.topic}")
            self._arrange(topic)
            if self.app.settings.processing_guarantee is Guarantee.EXACTLY_ONCE:
                consumer.read_committed()
            rows, tps = self._reading, [TP(self.topic, number) for number in range(topic.partitions)]
            begins, rows.behind = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
            consumer.assign(tps)
            for tp, begin in begins.items():
                consumer.seek(tp, max(begin, rows.positions.get(tp, 0)))
            look = RateLimit(LOOK_S)
            while not self.should_stop and not (look.due(self) and await self._is_another(consumer)):
                await self._read(consumer, tps)

    async def _read(self, consumer: TableConsumer, tps: Collection[TP]) -> None:
        """Apply the updates that are there; if there are none, wait for the next fetch."""
        fetched = consumer.fetched()
        taken = consumer.take(tps, self.app.settings.batch_records, self.app.settings.buffer)
        for tp, records in taken.items():
            await self._update(tp, records)
            await asyncio.sleep(0)
        self._read_to({tp: await consumer.position(tp) for tp in tps})
        if not taken:
            await asyncio.wait([fetched], timeout=LOOK_S)
        fetched.cancel()

    def _arrange(self, topic: Described) -> None:
        known = self._reading.topic
        if known is not None and topic.id != known.id:
            self.log.error("%s was made anew: its global table is read again from the beginning", self.topic)
            self._reading = _Rows()
        elif known is not None and topic.partitions != known.partitions:
            self.log.warning("%s has %d partitions now, not %d", self.topic, topic.partitions, known.partitions)
        self._reading.topic = topic

    async def _is_another(self, consumer: TableConsumer) -> bool:
        """Return whether the topic was made anew or has more partitions; what keeps it from being followed is told."""
        known = self._reading.topic
        try:
            found = await self._describe(consumer)
        except (KafkaError, OSError) as exc:
            self._tell("is not followed", exc)
            return False
        if found is None:
            self._tell("is gone: its rows stay as they were", "there is no such topic")
        elif known is None or (found.id, found.partitions) != (known.id, known.partitions):
            return True
        elif self._reading is self._rows and self.complete.is_set():
            self.app.faults.over(self)
        return False

    async def _describe(self, consumer: TableConsumer) -> Described | None:
        """Ask the broker for the topic; None = there is none."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return (await consumer.describe([self.topic])).get(self.topic)
        except TimeoutError:
            raise TimeoutError("the broker does not answer") from None

    async def _update(self, tp: TP, records: Sequence[Record]) -> None:
        """Apply updates; those that cannot be used are told."""
        table = self._reading.table
        good: list[Record] = []
        for number, record in enumerate(records):
            if isinstance(record, Unreadable):
                table.refuse(Side.RIGHT, record, record.error)
                continue
            try:
                good.append(await self._usable(record, records[number:]))
            except Refused as refused:
                table.refuse(Side.RIGHT, record, str(refused))
        for one in table.process(good).side_outputs:
            if isinstance(one.record, Unreadable):
                self._reject(tp, one.record, Reason.HEADER_NOT_UTF8, one.detail)
            elif one.reason is SideReason.NULL_KEY:
                self._reject(tp, one.record, Reason.NULL_KEY, "the record has no key")
            else:
                self._reject(tp, one.record, Reason.WRONG_TYPE, one.detail)
        self._reading.state.commit()

    async def _usable(self, record: Record, following: Iterable[Record]) -> Record:
        """Return a record as it is joined, once its schema is there, and those of what follows; a `Refused` if not."""
        while self._read_record is not None:
            try:
                record = self._read_record.one(record)
                break
            except UnfetchedError as exc:
                await fetched(exc.with_those_of(following), self.app.faults, lambda: not self.should_stop)
                if self.should_stop:
                    raise asyncio.CancelledError from None
        if self._check is not None:
            self._check(record)
        return record

    def _read_to(self, positions: Mapping[TP, int]) -> None:
        rows = self._reading
        rows.positions.update(positions)
        rows.behind = {tp: end for tp, end in rows.behind.items() if positions[tp] < end}
        if not rows.behind and (rows is not self._rows or not self.complete.is_set()):
            self.log.info("%s is read: %d updates", self.topic, rows.table.updates.applied)
            self._show(rows)
            self.complete.set()
            self.app.faults.over(self)

    def _reject(self, tp: TP, record: JoinRecord, reason: Reason, error: str) -> None:
        counts = self.app.dead_letters.counts
        counts[self.topic, reason] += 1
        if self._logged.due(reason):
            self.log.warning(
                "%s[%d]@%d is left out of the global table, %s: %s (%d for this reason so far)",
                *tp,
                record.offset,
                reason,
                error,
                counts[self.topic, reason],
            )

    def _tell(self, what: str, error: object) -> None:
        """Report that the table is not as it should be, until it is."""
        self.app.faults.report(self, f"the global table of {self.topic} {what}: {error}")
        if self._logged.due(what):
            self.log.error("The global table of %s %s: %s", self.topic, what, error)

    @property
    def label(self) -> str:
        """What the service is called in logs."""
        return f"Global table of {self.topic}"


@dataclasses.dataclass(frozen=True)
class GlobalJoin(DescribedJoin):
    """A stream-table join whose table is a global one."""

    join: StreamTableJoin
    table: TopicGlobalTable

    def start(self, state: State) -> Operator[Joined]:
        """Begin, or go on, with what the state holds."""
        earlier(state, self)
        return self.join.start(state, self.table)

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared: nothing of the table is in it."""
        return Declared("a join of a stream with a global table", {})
