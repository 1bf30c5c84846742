"""The thread in which aiokafka's consumer runs: fetches, commits and heartbeats go on while an agent works.

Read from faust-streaming 0.15.3 (`faust/transport/drivers/aiokafka.py`) and aiokafka 0.14.0 (`aiokafka/consumer/`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, cast

import msgspec
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streamapp.batching.alignment import Alignment
from streamapp.batching.batch import Record
from streamapp.batching.fetching import Fetching, end_offsets
from streamapp.batching.records import take

__all__ = ["ConsumerThread", "Fetched"]

#: Records of a partition that go to an agent at once, at most one record batch more: bounds what a failure repeats.
MAX_RECORDS: Final = 5_000
#: Seconds a fetch waits for records; more only delays the look at what else happened.
POLL: Final = 1.0
#: Seconds between two questions for a topic that was just made: a broker tells of it some ms later.
ASK_AGAIN: Final = 0.02


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
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = self.app.settings.isolation_level
        return consumer

    async def on_start(self) -> None:
        """Start aiokafka's consumer."""
        await super().on_start()
        if self._consumer is not None:
            self._fetching = Fetching(self._consumer._fetcher)

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribe, once the broker tells of the changelogs, which may just have been made.

        Partitions that the group's leader has not heard of are assigned to nobody, and it asks for news only after
        minutes (aiokafka's ``metadata_max_age_ms``): till then agents would get records whose table is not there.

        Raises:
            UnknownTopicOrPartitionError: if the broker does not tell of them in time.
        """
        await self.call_thread(self._await_topics, set(self.app.tables.changelog_topics))
        await super().subscribe(topics)

    async def _await_topics(self, topics: set[str]) -> None:
        client = self._ensure_consumer()._client
        deadline = time.monotonic() + self.app.conf.broker_request_timeout
        for topic in topics:
            client.add_topic(topic)
        while missing := {topic for topic in topics if client.cluster.partitions_for_topic(topic) is None}:
            if time.monotonic() > deadline:
                raise UnknownTopicOrPartitionError(f"the broker does not know {', '.join(sorted(missing))}")
            await client.force_metadata_update()
            await asyncio.sleep(ASK_AGAIN)

    def _stopped_set(self) -> None:
        # In a crash the thread may have ended by itself: its loop is closed, and nobody there waits any more.
        with contextlib.suppress(RuntimeError):
            super()._stopped_set()

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

    async def fetch(self, partitions: set[TP], alignment: Alignment, generation: int) -> Fetched:
        """Fetch records of these partitions, or wait for them until something else happens (`nudge`).

        After a rebalance nothing is taken any more for the `generation` that asked: it throws the answer away, and
        the records would be lost.
        """
        others = alignment.others(alignment.unbarred)
        fetched: Fetched = await self.call_thread(self._fetch, partitions, others, alignment, generation, self._nudges)
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

    async def begin_at_committed(self, partitions: Collection[TP]) -> None:
        """Read these partitions from the offsets that are committed now.

        Raises:
            KafkaError: if they are not to be had.
        """
        await self.call_thread(self._begin_at_committed, {TopicPartition(*tp) for tp in partitions})

    async def _begin_at_committed(self, partitions: Collection[TopicPartition]) -> None:
        consumer = self._ensure_consumer()
        committed = await consumer._coordinator.fetch_committed_offsets(partitions)
        for tp, known in committed.items():
            if known.offset >= 0 and await consumer.position(tp) != known.offset:
                consumer.seek(tp, known.offset)

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

    async def _fetch(
        self, partitions: set[TP], others: set[TP], alignment: Alignment, generation: int, nudges: int
    ) -> Fetched:
        consumer = self._ensure_consumer()
        records: Mapping[TP, list[Record]] = {}
        if partitions:
            with consumer._fetcher._subscriptions.fetch_context():
                records = await self._records(consumer._fetcher, partitions, generation, nudges)
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

    async def _records(
        self, fetcher: Any, partitions: set[TP], generation: int, nudges: int
    ) -> Mapping[TP, list[Record]]:
        records = self._take(fetcher, partitions, generation)
        if not records:
            with cast(Fetching, self._fetching).awaiting(partitions):
                await self._wait({fetcher._create_fetch_waiter()}, nudges)
            records = self._take(fetcher, partitions, generation)
        return records

    def _take(self, fetcher: Any, partitions: set[TP], generation: int) -> Mapping[TP, list[Record]]:
        if fetcher._subscriptions.reassignment_in_progress or generation != self.app.consumer_generation_id:
            return {}
        return take(fetcher, partitions, MAX_RECORDS, self.app.settings.buffer)

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
