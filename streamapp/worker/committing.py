"""The consumer's committing half: up to where its partitions are done, and what makes that durable.

Read from faust-streaming 0.15.3 (`faust/transport/consumer.py`). It replaces Faust's tracking of offsets (`ack`,
`_new_offset`), which commits past records in work, and stands still after a recovery: `Offsets` says up to where a
partition is done, and `Checkpoint` commits it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, cast

from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message
from faust.types.transports import TPorTopicSet, TransportT
from mode import Service

from streamapp.kafka.group import Group
from streamapp.kafka.reader import Reader
from streamapp.runtime.alignment import Alignment
from streamapp.runtime.batch import Batch
from streamapp.runtime.changelog_limits import ChangelogLimits
from streamapp.runtime.checkpoint import Checkpoint
from streamapp.runtime.delivery import AtLeastOnce, Delivery, ExactlyOnce
from streamapp.runtime.outbox import Outbox
from streamapp.runtime.positions import Positions
from streamapp.runtime.resumption import Resumption
from streamapp.settings import Guarantee
from streamapp.worker.app import App
from streamapp.worker.consumer_thread import ConsumerThread
from streamapp.worker.producer import Producer

__all__ = ["CommittingConsumer"]


class CommittingConsumer(driver.Consumer):
    """Faust's aiokafka consumer, which commits what agents have finished."""

    app: App
    _thread: ConsumerThread

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def __init__(self, transport: TransportT, **options: Any) -> None:
        super().__init__(transport, **options)
        self.alignment = Alignment({})
        #: Set when a batch may have become ready to go to the agents.
        self._ready = asyncio.Event()
        self.reader = Reader(self.app, loop=self.loop, beacon=self.beacon)
        self.add_dependency(self.reader)
        app, producer = self.app, cast(Producer, self.app.producer)
        tables, timeout_s = app.row_tables, app.conf.broker_session_timeout
        #: The group that it is in.
        self.group = Group(self._thread)
        self.positions = Positions(self.reader, app.losses, tables)
        self.resumption = Resumption(
            self.group,
            self.positions,
            tables,
            producer,
            app.faults,
            group_id=app.conf.id,
            reset_command=app.reset_command,
        )
        outbox = Outbox(app.patience, producer, app.retention)
        self.changelog_limits = ChangelogLimits(producer, app.settings.compression)
        delivery: Delivery
        if app.settings.processing_guarantee is Guarantee.EXACTLY_ONCE:
            delivery = ExactlyOnce(outbox, self.group, self, self.resumption, producer, timeout_s)
        else:
            delivery = AtLeastOnce(outbox, self.group, self, self.resumption, producer, self._thread.lease)
        self.checkpoint = Checkpoint(
            app,
            self,
            tables,
            outbox,
            delivery,
            self.resumption,
            app.dead_letters,
            self.changelog_limits,
            app.conf.id,
        )

    @property
    def generation(self) -> int:
        """The group's generation in which this worker has its partitions."""
        return self.app.consumer_generation_id

    @Service.task
    async def _commit_handler(self) -> None:
        """Commit from time to time; Faust's timer warns of each commit that takes longer than the time between."""
        while not self.should_stop:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.checkpoint.due.wait(), self.commit_interval)
            await self.commit()

    async def commit(self, topics: TPorTopicSet | None = None, start_new_transaction: bool = True) -> bool:
        """Make durable what the agents have finished (`streamapp.runtime.checkpoint`)."""
        state = self.app.sensors.on_commit_initiated(self)
        committed = await self.checkpoint.commit()
        self.app.sensors.on_commit_completed(self, state)
        return committed

    def finished(self) -> dict[TP, int]:
        """Return the offsets to be committed: of each partition of which more is done (`Alignment.done`)."""
        found = {}
        for tp, lane in self.alignment.lanes.items():
            done = self.alignment.done(tp)
            if done not in (None, lane.committed) and self.app.topics.acks_enabled_for(tp.topic):
                found[tp] = done
        return found

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> None:
        """Commit the offsets of partitions.

        Raises:
            KafkaError: if the broker does not take them.
            TimeoutError: if it does not answer, or after a crash aiokafka's thread has ended before.
        """
        if offsets:
            metadata = self.resumption.metadata
            commits = {TopicPartition(*tp): OffsetAndMetadata(offset, metadata(tp)) for tp, offset in offsets.items()}
            async with asyncio.timeout(self.app.conf.broker_session_timeout):
                await self._thread.call_thread(self._thread.aiokafka.commit, commits)
            self.committed(offsets)

    def committed(self, offsets: Mapping[TP, int]) -> None:
        """Take note of offsets that are committed."""
        for tp, offset in offsets.items():
            self.alignment.lane(tp).commit(offset)
        self.app.monitor.on_tp_commit(dict(offsets))

    async def flush_sent(self, tps: Iterable[TP]) -> None:
        """Wait until the broker has what agents on events have sent, which is no part of a batch's work."""
        declared = self.app.declared
        if any(tp.topic not in declared.inputs and tp.topic not in declared.internal for tp in tps):
            await self.app.producer.flush()

    async def refresh(self) -> None:
        """Have the group's leader, if it is this worker, know the topics as they are now."""
        await self._thread.refresh()

    def rejoin(self) -> None:
        """Have the group rebalance, so that what was not committed is read again."""
        self._thread.rejoin()

    def acknowledge(self, message: Message) -> None:
        """Take note that an agent is done with a message; count its records once all are."""
        if message.ack(self):
            self.app.batches[message.topic].observe(len(cast(Batch, message.value)))
            self.app.read[message.topic] += len(cast(Batch, message.value))
            self.app.read_up_to[message.tp] = message.timestamp

    def ack(self, message: Message) -> bool:
        """Take note that all agents are done with a message."""
        if message.acked:
            return False
        message.acked = True
        lane = self.alignment.lanes.get(message.tp)
        if lane is not None and message.generation_id == self.generation:
            lane.offsets.finish(message.offset)
            lane.working = False
            for table in self.app.row_tables:
                table.finish(message.tp)
        self.drop(message)
        self._ready.set()
        return True

    def drop(self, message: Message) -> None:
        """Wait no more for a message: it is done, or will be read again."""
        self._unacked_messages.discard(message)
        if self._waiting_for_ack is not None and not self._waiting_for_ack.done():
            self._waiting_for_ack.set_result(None)
