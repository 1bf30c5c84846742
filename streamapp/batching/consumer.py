"""The consumer: hands whole batches to agents, in an order that misses no match, and commits what is done.

Read from faust-streaming 0.15.3 (`faust/transport/consumer.py`, `faust/transport/drivers/aiokafka.py`) and
aiokafka 0.14.0 (`aiokafka/consumer/fetcher.py`). What it replaces of Faust's consumer, and why:

- `_drain_messages`, which starts four tasks for each record (some 100 µs);
- the tracking of offsets (`ack`, `_new_offset`), which commits past records in work, and stands still after a
  recovery; here `Offsets` says up to where a partition is done, and `Checkpoint` commits it;
- the seek to the committed offsets after a recovery (`perform_seek`): aiokafka starts at the committed offset
  after each rebalance anyway, and a second seek would throw away what has been fetched since.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service

from streamapp.batching.alignment import Alignment, groups
from streamapp.batching.batch import Batch, BatchSchema, Record
from streamapp.batching.fetching import Fetching, end_offsets
from streamapp.batching.records import take

__all__ = ["Consumer"]

#: Records of a partition that go to an agent at once, at most one record batch more: bounds what a failure repeats.
MAX_RECORDS: Final = 5_000
#: Seconds a fetch waits for records; more only delays the look at what else happened.
POLL: Final = 1.0
#: Part of the session timeout that agents get to finish what they have begun, before partitions are given back: at
#: the whole of it the broker would take this worker for dead.
PATIENCE: Final = 0.5


class Fetched(msgspec.Struct):
    """What one fetch brought."""

    records: Mapping[TP, list[Record]]
    #: End offsets, asked for after the records had come, of the partitions that go before theirs.
    ends: Mapping[TP, int]
    #: Next offsets to be fetched from these partitions.
    positions: Mapping[TP, int]


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread in which aiokafka runs, so that heartbeats go on while an agent works."""

    app: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        self._nudges = 0
        self._nudged: asyncio.Future[None] | None = None
        self._fetching: Fetching | None = None

    def _create_worker_consumer(self, transport: Any) -> Any:
        conf = self.app.conf
        # Only now is the web port known for certain, since `faust worker --web-port` sets it late.
        conf.consumer_group_instance_id = self.app.settings.member_id(conf.web_port)
        return super()._create_worker_consumer(transport)

    async def on_start(self) -> None:
        """Start aiokafka's consumer."""
        await super().on_start()
        if self._consumer is not None:
            self._fetching = Fetching(self._consumer._fetcher)

    async def on_thread_stop(self) -> None:
        """Leave the group, so that the others get the partitions at once.

        aiokafka (`GroupCoordinator._maybe_leave_group`) does not leave for a member with a static id (KIP-345):
        a worker that stops for good would block its partitions for the session timeout. The id is there for
        the worker that is killed and comes back.
        """
        if self._consumer is not None and self._consumer._group_id is not None:
            self._consumer._coordinator._group_instance_id = None
        self.nudge()
        await super().on_thread_stop()

    async def fetch(self, partitions: set[TP], alignment: Alignment) -> Fetched:
        """Fetch records of these partitions, or wait for them until something else happens (`nudge`)."""
        others = alignment.others(alignment.unbarred)
        fetched: Fetched = await self.call_thread(self._fetch, partitions, others, alignment, self._nudges)
        return fetched

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> None:
        """Commit the offsets of partitions.

        Raises:
            KafkaError: if the broker does not take them, for instance since this worker was put out of the group.
        """
        await self.call_thread(self._commit_offsets, offsets)

    async def _commit_offsets(self, offsets: Mapping[TP, int]) -> None:
        await self._ensure_consumer().commit(
            {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
        )

    def begin(self, joined: Mapping[str, tuple[str, ...]], unread: Iterable[str]) -> None:
        """Begin with the partitions of a new generation.

        Args:
            joined: for each topic, the topics that are joined (`groups`).
            unread: topics of which nothing is to be fetched.
        """
        self.thread_loop.call_soon_threadsafe(self._begin, joined, frozenset(unread))

    def _begin(self, joined: Mapping[str, tuple[str, ...]], unread: frozenset[str]) -> None:
        consumer = self._ensure_consumer()
        consumer.pause(*(tp for tp in consumer.assignment() if tp.topic in unread))
        if self._fetching is not None:
            self._fetching.arrange(joined)

    def rejoin(self) -> None:
        """Have the group rebalance, so that what was not committed is read again."""
        if self._consumer is not None and self._consumer._group_id is not None:
            self.thread_loop.call_soon_threadsafe(self._consumer._coordinator.request_rejoin)

    def nudge(self) -> None:
        """Make a fetch that waits return: other partitions may be fetched now."""
        self._nudges += 1
        self.thread_loop.call_soon_threadsafe(self._nudge)

    def _nudge(self) -> None:
        if self._nudged is not None and not self._nudged.done():
            self._nudged.set_result(None)

    async def _fetch(self, partitions: set[TP], others: set[TP], alignment: Alignment, nudges: int) -> Fetched:
        consumer = self._ensure_consumer()
        records: Mapping[TP, list[Record]] = {}
        if partitions:
            with consumer._fetcher._subscriptions.fetch_context():
                records = await self._records(consumer._fetcher, partitions, nudges)
        else:
            await self._wait(set(), nudges)
        ends = await self._ends(consumer, records, others, alignment)
        return Fetched(records, ends, self._positions(consumer))

    async def _ends(
        self, consumer: Any, records: Iterable[TP], others: set[TP], alignment: Alignment
    ) -> Mapping[TP, int]:
        """Give the end offsets of the partitions that those of the records are joined with, and of `others`."""
        known = self._fetching.ends if self._fetching is not None else {}
        ends: dict[TP, int] = {}
        for tp in records:
            for other in alignment.others([tp]):
                if other in known.get(tp, {}):
                    # Two partitions may be joined with the same third one: the later end is good for both.
                    ends[other] = max(known[tp][other], ends.get(other, 0))
                else:
                    others.add(other)
        if others := others & self.assignment():
            try:
                ends.update(await end_offsets(consumer._client, others, consumer._fetcher._isolation_level))
            except KafkaError as exc:  # asked again by the next fetch; what waits for it is held until then
                self.log.warning("End offsets of %d partitions are not to be had: %r", len(others), exc)
        return ends

    async def _records(self, fetcher: Any, partitions: set[TP], nudges: int) -> Mapping[TP, list[Record]]:
        if fetcher._subscriptions.reassignment_in_progress:
            await fetcher._subscriptions.wait_for_assignment()
        max_bytes = self.app.settings.buffer
        records = take(fetcher, partitions, MAX_RECORDS, max_bytes)
        if not records:
            await self._wait({fetcher._create_fetch_waiter()}, nudges)
            records = take(fetcher, partitions, MAX_RECORDS, max_bytes)
        return records

    async def _wait(self, waiters: set[asyncio.Future[Any]], nudges: int) -> None:
        self._nudged = self.thread_loop.create_future()
        waiters.add(self._nudged)
        # A nudge that came after the partitions had been chosen, but before this, must not be slept over.
        timeout = POLL if nudges == self._nudges else 0
        done, waiting = await asyncio.wait(waiters, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for future in waiting:
            future.cancel()
        for future in done:
            future.result()  # raises what the fetcher failed with, such as a missing authorisation

    def _positions(self, consumer: Any) -> Mapping[TP, int]:
        subscription = consumer._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        if assignment is None:
            return {}
        states = {tp: assignment.state_value(tp) for tp in self.assignment()}
        return {tp: state.position for tp, state in states.items() if state and state.has_valid_position}


class Consumer(driver.Consumer):
    """Faust's aiokafka consumer, with batches for the topics that ask for them (`BatchSchema`)."""

    app: Any
    _thread: ConsumerThread

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._batched: set[str] = set()
        self.alignment = Alignment({})
        #: Set when a batch may have become ready to go to the agents.
        self._ready = asyncio.Event()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Begin anew with the partitions of this generation."""
        after = {
            name: topic.schema.after
            for topic in self.app.topics
            if isinstance(topic.schema, BatchSchema)
            for name in topic.topics
        }
        self._batched = set(after)
        joined = groups(after)
        self.alignment = Alignment(joined, (TP(*tp) for tp in assigned), max_idle=self.app.settings.max_idle)
        # Changelogs are assigned so that a table is where its source is; recovery has a consumer of its own.
        self._thread.begin(joined, self.app.tables.changelog_topics)
        self.app.checkpoint.begin()
        await super().on_partitions_assigned(assigned, generation_id)

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                if not self.flow_active:
                    await self.wait(self.can_resume_flow)  # type: ignore[arg-type]
                else:
                    await self._fetch_and_hold()
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _fetch_and_hold(self) -> None:
        generation = self.app.consumer_generation_id
        wanted = self._get_active_partitions() - self.alignment.full
        fetched = await self._thread.fetch(wanted, self.alignment)
        if not self.flow_active or generation != self.app.consumer_generation_id:
            return  # a rebalance came between: all is fetched again from the committed offsets
        for tp, records in fetched.records.items():
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            if tp.topic in self._batched:
                self.alignment.hold(Batch(tp, records), time.monotonic())
            else:
                await self._deliver_singly(tp, records)
        self.alignment.learn(fetched.ends, fetched.positions)
        self._ready.set()

    async def _deliver_singly(self, tp: TP, records: list[Record]) -> None:
        offsets = self.alignment.lane(tp).offsets
        for record in records:
            offsets.begin(record.offset)
            await self.callback(self._to_message(tp, record))

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
            taken = self.alignment.take(time.monotonic())
            for batch in taken:
                await self.callback(batch.message(self.app.consumer_generation_id))
            if taken:
                self._thread.nudge()

    @Service.task
    async def _commit_when_due(self) -> None:
        while not self.should_stop:
            await self.app.checkpoint.due.wait()
            await self.commit()

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Make durable what the agents have finished (`streamapp.batching.checkpoint`)."""
        state = self.app.sensors.on_commit_initiated(self)
        committed: bool = await self.app.checkpoint.commit()
        self.app.sensors.on_commit_completed(self, state)
        return committed

    def finished(self) -> dict[TP, int]:
        """Give the offsets to be committed: of each partition that agents have finished more of."""
        return {
            tp: lane.offsets.committable
            for tp, lane in self.alignment.lanes.items()
            if lane.offsets.committable not in (None, lane.committed) and self.app.topics.acks_enabled_for(tp.topic)
        }

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> None:
        """Commit the offsets of partitions.

        Raises:
            KafkaError: if the broker does not take them.
            TimeoutError: if it does not answer, or after a crash aiokafka's thread has ended before.
        """
        if offsets:
            async with asyncio.timeout(self.app.conf.broker_session_timeout):
                await self._thread.commit_offsets(offsets)
            for tp, offset in offsets.items():
                self.alignment.lane(tp).committed = offset
            self.app.monitor.on_tp_commit(offsets)

    def rejoin(self) -> None:
        """Have the group rebalance, so that what was not committed is read again."""
        self._thread.rejoin()

    def ack(self, message: Any) -> bool:
        """Take note that all agents are done with a message."""
        if message.acked:
            return False
        message.acked = True
        lane = self.alignment.lanes.get(message.tp)
        if lane is not None and message.generation_id == self.app.consumer_generation_id:
            lane.offsets.finish(message.offset)
            lane.working = False
        self.drop(message)
        self._ready.set()
        return True

    def drop(self, message: Any) -> None:
        """Wait no more for a message: it is done, or will be read again."""
        self._unacked_messages.discard(message)
        if self._waiting_for_ack is not None and not self._waiting_for_ack.done():
            self._waiting_for_ack.set_result(None)

    async def wait_empty(self) -> None:
        """Wait until the agents are done with what they have begun, and commit it.

        Called before partitions are given back and before a stop. What was not begun yet is forgotten here and
        fetched again by whoever gets the partitions; so is a batch that an agent does not get done with in time.
        """
        deadline = time.monotonic() + PATIENCE * self.app.conf.broker_session_timeout
        while not self.should_stop and self._unacked_messages:
            if time.monotonic() > deadline:
                self.log.warning("Giving up work that is not done: %s", list(self._unacked_messages))
                break
            await self._wait_for_ack(timeout=1)
            self._clean_unacked_messages()
        await self.commit()
        self.alignment.clear()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: Faust's check for a stuck stream looks at the tracking that this class does without."""

    async def perform_seek(self) -> None:
        """Do nothing: see the module's text."""
