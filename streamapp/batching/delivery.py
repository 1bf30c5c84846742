"""How results and table changes get to the broker, and become valid together with the offsets of their input.

At least once, one producer sends everything, and the offsets are committed when all has arrived. Exactly once, all of
it is in a Kafka transaction (KIP-98), one after the other for each partition of the input.

Why a transactional id for each partition, as in Kafka Streams' exactly_once v1: aiokafka 0.14 speaks version 0 of the
transaction requests, in which offsets are not fenced by the group's generation (KIP-447). So they are fenced by the id:
whoever gets a partition begins with its id, and the broker then aborts what the partition's last owner left open, and
refuses all that this one still sends. Only afterwards it asks for the committed offsets and reads the changelogs. So
whatever a worker that was taken for dead got committed before is seen, and it can commit nothing after.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar, Final, Protocol

from aiokafka.errors import InvalidProducerEpoch, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.types import TP

from streamapp.batching.outbox import Outbox, Room

__all__ = ["AtLeastOnce", "Delivery", "ExactlyOnce"]

#: Seconds that a producer which is done with may take to abort its transaction, and again to close its connections.
CLOSE_WITHIN: Final = 3.0
#: Seconds before a transactional id is asked for again.
AGAIN: Final = 0.1


class Delivery(Protocol):
    """What a processing guarantee is made of."""

    #: Whether results, rows and offsets of a commit become valid at once.
    atomic: ClassVar[bool]

    @property
    def outboxes(self) -> Collection[Outbox]:
        """Those that are open."""
        ...

    def outbox(self, tp: TP) -> Outbox:
        """Give the outbox for what comes of a partition of the input, or goes to a partition of a changelog."""
        ...

    async def open(self, partitions: Iterable[TP]) -> None:
        """Begin with the partitions of a new generation, before anything of them or their changelogs is read."""
        ...

    def cut(self, outbox: Outbox) -> None:
        """Keep what is put in from now on out of the commit that begins."""
        ...

    async def commit(self, outbox: Outbox, offsets: Mapping[TP, int]) -> None:
        """Make valid what has arrived from an outbox, with the offsets of the input that it comes of.

        Raises:
            KafkaError: if the broker refuses.
            TimeoutError: if it does not answer; it may have done it, or not.
        """
        ...

    async def close(self) -> None:
        """Stop: nothing more will be sent."""
        ...


class AtLeastOnce:
    """One outbox for all, and offsets that are committed once it has arrived."""

    atomic: ClassVar = False

    def __init__(self, app: Any, room: Room) -> None:
        self._app = app
        self._room = room
        self._outbox: Outbox | None = None

    @property
    def outboxes(self) -> Collection[Outbox]:
        """The one there is."""
        return [self._outbox] if self._outbox is not None else []

    def outbox(self, tp: TP) -> Outbox:
        """Give the one there is."""
        if self._outbox is None:
            self._outbox = Outbox(self._app.producer._ensure_producer(), self._room)
        return self._outbox

    async def open(self, partitions: Iterable[TP]) -> None:
        """Do nothing: any worker may send at any time."""

    def cut(self, outbox: Outbox) -> None:
        """Do nothing: what arrives before the offsets that go with it may be there twice."""

    async def commit(self, outbox: Outbox, offsets: Mapping[TP, int]) -> None:
        """Commit the offsets."""
        await self._app.consumer.commit_offsets(offsets)

    async def close(self) -> None:
        """Do nothing: Faust stops its producer."""


class ExactlyOnce:
    """An outbox for each partition of the input, whose records are in a transaction with the offsets.

    A transaction is always open. Topics with equally many partitions, which Faust's assignor gives away together,
    share those of a partition: tables may be written by agents of several topics.
    """

    atomic: ClassVar = True

    def __init__(self, app: Any, room: Room) -> None:
        self._app = app
        self._room = room
        self._outboxes: dict[TP, Outbox] = {}
        #: All that were made, until they are closed.
        self._producers: list[Any] = []
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def outboxes(self) -> Collection[Outbox]:
        """Those of the partitions that this worker has."""
        return set(self._outboxes.values())

    def outbox(self, tp: TP) -> Outbox:
        """Give the outbox of a partition."""
        return self._outboxes[tp]

    async def open(self, partitions: Iterable[TP]) -> None:
        """Fence whoever had the partitions before, and begin their transactions; then read on from where that got.

        Raises:
            KafkaError: if the broker does not allow it.
        """
        await self.close()
        app, changelogs = self._app, self._app.tables.changelog_topics
        sharing: dict[str, list[TP]] = defaultdict(list)
        for tp in partitions:
            if tp.topic in changelogs or app.topics.acks_enabled_for(tp.topic):
                sharing[await self._transactional_id(tp)].append(tp)
        opened = await asyncio.gather(*map(self._begin, sharing))
        self._outboxes = {tp: outbox for outbox, shared in zip(opened, sharing.values(), strict=True) for tp in shared}
        # aiokafka may have asked for the committed offsets before the others were fenced.
        await app.consumer.begin_at_committed([tp for tp in self._outboxes if tp.topic not in changelogs])

    async def _transactional_id(self, tp: TP) -> str:
        # With the number of partitions, since topics that differ in it are not assigned together.
        return f"{self._app.conf.id}-{await self._app.producer.partition_count(tp.topic)}-{tp.partition}"

    async def _begin(self, transactional_id: str) -> Outbox:
        while True:
            producer = self._app.producer.transactional(transactional_id)
            self._producers.append(producer)
            try:
                await producer.start()
            except InvalidProducerEpoch:  # the last owner was just about to abort, or another one has begun
                await producer.stop()
                await asyncio.sleep(AGAIN)
            else:
                await producer.begin_transaction()
                return Outbox(producer, self._room)

    def cut(self, outbox: Outbox) -> None:
        """Keep what is put in from now on for the next transaction."""
        outbox.hold()

    async def commit(self, outbox: Outbox, offsets: Mapping[TP, int]) -> None:
        """Commit the transaction with the offsets, and begin the next one."""
        producer, conf = outbox.producer, self._app.conf
        async with asyncio.timeout(conf.broker_session_timeout):
            if offsets:
                positions = {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
                await producer.send_offsets_to_transaction(positions, conf.id)
            await producer.commit_transaction()
        await producer.begin_transaction()
        outbox.release()
        self._app.consumer.committed(offsets)

    async def close(self) -> None:
        """Abort what is open."""
        producers, self._producers, self._outboxes = self._producers, [], {}
        self._closing |= {asyncio.create_task(_close(producer)) for producer in producers}
        if self._closing:
            done, _ = await asyncio.wait(self._closing)
            self._closing -= done


async def _close(producer: Any) -> None:
    transactions = producer._txn_manager
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(CLOSE_WITHIN):
            # Not left to whoever begins with this id next: till then readers would get nothing that comes after.
            if transactions.is_in_transaction():
                await producer.abort_transaction()
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(CLOSE_WITHIN):
            await producer.stop()
    # Those of a producer which was fenced: asyncio need not tell that nobody looked.
    waiters = [batch._drain_waiter for batches in producer._message_accumulator._batches.values() for batch in batches]
    for waiter in (*waiters, transactions.wait_for_transaction_end()):
        if waiter is not None and waiter.done():
            waiter.exception()
