"""The consumer: hands whole batches to agents, in an order that misses no match, and commits what is done.

Read from faust-streaming 0.15.3 (`faust/transport/consumer.py`, `faust/transport/drivers/aiokafka.py`) and
aiokafka 0.14.0 (`aiokafka/consumer/fetcher.py`). What it replaces of Faust's consumer, and why:

- `_drain_messages`, which starts four tasks for each record (some 100 µs);
- the tracking of offsets (`streamapp.worker.committing`);
- the seek to the committed offsets after a recovery (`perform_seek`): aiokafka starts at the committed offset
  after each rebalance anyway, and a second seek would throw away what has been fetched since.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from functools import partial
from typing import Any, Final, cast

from aiokafka.errors import ConsumerStoppedError, IllegalStateError, KafkaError, OffsetOutOfRangeError
from faust.types import TP
from faust.types.transports import TransportT
from mode import Service, ServiceT

from streamapp.formats.undecodable import Reason
from streamapp.kafka.group import AGAIN, passes
from streamapp.kafka.record import Record
from streamapp.kafka.refusals import RefusedError, name_of, standing
from streamapp.kafka.unreadable import Readable, Unreadable, UnreadableBatchError
from streamapp.runtime.alignment import Alignment, Arrangement
from streamapp.runtime.batch import Batch, message_of
from streamapp.runtime.feed import Feed, Fetched
from streamapp.runtime.hops import Hops
from streamapp.runtime.purge import Purge
from streamapp.runtime.work import Rejected, Work
from streamapp.worker.app import App
from streamapp.worker.committing import CommittingConsumer
from streamapp.worker.lag_watch import LagWatch
from streamapp.worker.table_sizes import TableSizes
from streamapp.worker.topic_watch import TopicWatch

__all__ = ["Consumer", "running"]

#: Part of the session timeout that agents get to finish what they have begun, before partitions are given back: at
#: the whole of it the broker would take this worker for dead.
FINISH_WITHIN_SESSION: Final = 0.5
#: Seconds that they get at most in a worker that stops, and so its last commit: it is to end within ten.
STOP_TIMEOUT_S: Final = 2.0


class Consumer(CommittingConsumer):
    """Faust's aiokafka consumer, with batches for the topics that ask for them (`BatchSchema`)."""

    def __init__(self, transport: TransportT, **options: Any) -> None:
        super().__init__(transport, **options)
        self._arrangement = Arrangement()
        self._watch = TopicWatch(self.app, self)
        self.add_dependency(self._watch)
        #: How far behind its partitions are, now and in the last minutes.
        self.lags = LagWatch(self.app, self)
        self.add_dependency(self.lags)
        #: How large its tables are.
        self.sizes = TableSizes(self.app)
        self.add_dependency(self.sizes)
        self.add_dependency(Purge(self, self.app.declared.internal))
        self._feed: Feed | None = None
        #: The partitions of this generation whose records agents get.
        self.inputs: frozenset[TP] = frozenset()
        #: Whether they are still to be read from where the group has got to.
        self._anew = False
        #: Partitions of which records are to be delivered, until these are taken in.
        self._wanted: set[TP] = set()
        #: Records for agents that get them one by one, with their generation.
        self._single: asyncio.Queue[tuple[TP, list[Record], int]] = asyncio.Queue()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let the agents finish what they have begun, and commit it.

        In a worker that stops, too: there Faust (`App._on_rebalance_when_stopped`) closes the connection, before the
        stop has come to its commit.
        """
        if self.app.should_stop:
            self.stop_flow()
            await self.wait_empty()
        else:
            await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Begin anew with the partitions of this generation."""
        if self.app.should_stop or not await self._watch.passed():
            return
        self._arrangement = arranged = Arrangement.of(self.app.topics)
        self.alignment = Alignment(
            arranged.joined,
            (TP(*tp) for tp in assigned),
            merged=arranged.merged,
            whole=arranged.whole,
            gathered=arranged.gathered,
            unordered={
                topic
                for topic, firsts in self.app.declared.hops.items()
                if len(firsts) > 1 or not self._has_all(firsts[0], assigned)
            },
            max_idle=self.app.settings.max_idle,
            wall=self.app.ahead.wall,
            enforced=self.alignment.enforced,
        )
        # Changelogs are assigned so that a table is where its source is; recovery has a consumer of its own.
        changelogs = self.app.tables.changelog_topics
        self.inputs = frozenset(TP(*tp) for tp in assigned if tp.topic not in changelogs)
        self._anew = True
        self.checkpoint.begin()
        await super().on_partitions_assigned(assigned, generation_id)

    def _has_all(self, topic: str, assigned: set[TP]) -> bool:
        """Tell whether this worker has all partitions of a topic, and takes them together."""
        mine = sum(tp.topic == topic for tp in assigned)
        return topic in self._arrangement.whole and mine == self.topic_partitions(topic)

    def stop_flow(self) -> None:
        """Deliver nothing more, for now."""
        super().stop_flow()
        if self._feed is not None:
            self._feed.end()

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Read on from these partitions."""
        super().resume_partitions(tps)
        self._want()

    def on_buffer_drop(self, tp: TP) -> None:
        """Read on from a partition whose agent has room in its queue again."""
        super().on_buffer_drop(tp)
        self._want()

    async def _drain_messages(self, fetcher: ServiceT) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                if not self.flow_active:
                    await self.wait(self.can_resume_flow)  # type: ignore[arg-type]
                else:
                    await self._read()
        except UnreadableBatchError as exc:
            await self._finish(exc.tp)
            await self.app.crash(exc)
        except RefusedError as exc:
            await self.app.crash(exc)
        except (asyncio.CancelledError, ConsumerStoppedError):
            # Faust's fetcher takes its own end for a crash when the worker stops during a rebalance.
            if not self.app.should_stop:
                raise

    async def _read(self) -> None:
        """Take in what is fetched, until the partitions change."""
        generation = self.generation
        if self._anew:
            try:
                positions = await self.group.positions(self.inputs)
                mixed = await hops.written_so_far(self.inputs) if (hops := self._hops()) else {}
            except KafkaError as exc:
                just_taken_away = isinstance(exc, IllegalStateError)
                if not (just_taken_away or passes(exc)):
                    raise
                await self.sleep(AGAIN)
                return
            if generation != self.generation:
                return
            self.alignment.mixed = mixed
            self.reader.begin(self._arrangement.joined, positions, self._watch.look)
            for tp, position in positions.items():
                self.alignment.lane(tp).committed = position
            self._anew = False
        self._wanted.clear()
        self._feed = Feed(
            self.reader,
            self.alignment,
            max_records=self.app.settings.batch_records,
            max_bytes=self.app.settings.buffer,
            current=lambda: self.flow_active and generation == self.generation,
            deliver=partial(self._arrived, generation),
            alive=self._thread.polled,
            hops=self._hops(),
        )
        self._want()
        try:
            await self._feed.run()
        except OffsetOutOfRangeError as exc:
            # Where to go on is decided, and told, when a generation begins (`Positions`).
            places = ", ".join(f"{tp.topic}[{tp.partition}] at offset {offset}" for tp, offset in exc.args[0].items())
            self.log.warning("What was to be read next is not there: %s; joining the group again", places)
            self.stop_flow()
            self.rejoin()
        except KafkaError as exc:
            if not standing(type(exc)):
                raise
            await self.sleep(self.app.patience.failed(name_of(exc, self.app.conf.id), exc))

    def _hops(self) -> Hops | None:
        hops, due, timeout_s = self.app.declared.hops, self.checkpoint.due, self.app.conf.broker_session_timeout
        return Hops(hops, self.reader, self.alignment, self.group, due, timeout_s) if hops else None

    def _want(self) -> None:
        wanted = (self._get_active_partitions() & self.inputs) - self.alignment.full - self._wanted
        if wanted and self._feed is not None:
            self._wanted |= wanted
            self._feed.want(wanted)

    def highwater(self, tp: TP) -> int:
        """Return the end offset of a partition as it was last told."""
        return self.reader.end_offset(tp) or 0

    def _arrived(self, generation: int, fetched: Fetched) -> None:
        for tp, records in fetched.records.items():
            self.app.patience.over(tp.topic)
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            self.app.retention.look(tp.topic, records[0].timestamp, records[-1].timestamp)
            if tp.topic in self._arrangement.batched:
                self._wanted.discard(tp)
                batch = Batch(tp, records)
                self.app.ahead.look(batch)
                self.alignment.hold(batch, time.monotonic())
            else:
                lane = self.alignment.lane(tp)
                lane.begun.append((records[-1].offset, records[0].timestamp))
                for record in records:  # now, since the position is behind them already
                    lane.offsets.begin(record.offset)
                self._single.put_nowait((tp, records, generation))
        self.alignment.learn(fetched.barriers, fetched.positions)
        self._ready.set()

    @Service.task
    async def _deliver_single_records(self) -> None:
        while not self.should_stop:
            tp, records, generation = await self._single.get()
            if not self.flow_active or generation != self.generation:
                continue
            for record in records:
                if isinstance(record, Unreadable):
                    work = Work()
                    work.rejected.append(Rejected(tp, record, Reason.HEADER_NOT_UTF8, record.error))
                    await self.checkpoint.finish([], work, generation)
                    self.alignment.lane(tp).offsets.finish(record.offset)
                else:
                    await self.callback(message_of(tp, cast(Readable, record), generation))
            self._wanted.discard(tp)
            self._want()

    async def _finish(self, tp: TP) -> None:
        """Let the agents finish what they have begun of a partition, and commit it."""
        while self.alignment.lane(tp).working and self.flow_active and not self.should_stop:
            await self._wait_for_ack(timeout=1)
        await self.commit()

    @Service.task
    async def _deliver_batches(self) -> None:
        max_idle = self.app.settings.max_idle
        while not self.should_stop:
            # With a time to wait for idle partitions, what waits has to be looked at although nothing happened.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), max_idle / 4 if max_idle > 0 else None)
            self._ready.clear()
            if not self.flow_active:
                continue
            now = time.monotonic()
            generation, taken = self.generation, self.alignment.take(now)
            for batch in taken:
                self.app.waits[batch.topic].observe(now - self.alignment.lanes[batch.tp].since)
                for begin in self._arrangement.ahead[batch.topic]:
                    begin(batch)
                await self.callback(batch.message(generation))
            if taken:
                self._want()

    async def wait_empty(self) -> None:
        """Wait until the agents are done with what they have begun, and commit it.

        What was not begun yet is forgotten here and fetched again by whoever gets the partitions; so is a batch that an
        agent does not get done with in time.
        """
        timeout_s = FINISH_WITHIN_SESSION * self.app.conf.broker_session_timeout
        deadline = time.monotonic() + (min(timeout_s, STOP_TIMEOUT_S) if self.app.should_stop else timeout_s)
        while not self.should_stop and self._unacked_messages:
            if time.monotonic() > deadline:
                self.log.warning("Giving up work that is not done: %s", list(self._unacked_messages))
                break
            await self._wait_for_ack(timeout=1)
            self._clean_unacked_messages()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S if self.app.should_stop else None):
                await self.commit()
        except TimeoutError:
            self.log.warning("The broker does not answer: what was done since the last commit is left to be done again")
        self.checkpoint.end()
        committed = {tp: lane.committed for tp, lane in self.alignment.lanes.items()}
        self.positions.leave(self.reader.end_offsets(), committed)
        self.alignment.clear()

    async def verify_all_partitions_active(self) -> None:
        """Do nothing: Faust's check for a stuck stream looks at the tracking that this class does without."""

    async def perform_seek(self) -> None:
        """Do nothing: see the module's text."""


def running(app: App) -> Consumer | None:
    """Return the consumer of an app; None = there is none yet."""
    return cast("Consumer | None", app._consumer)
