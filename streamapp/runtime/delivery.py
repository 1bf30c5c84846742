"""How results and table changes get to the broker, and become valid together with the offsets of their input.

At least once, one producer sends everything, and the offsets are committed when all has arrived. Exactly once, all of
it is in a Kafka transaction (KIP-98), one after the other for each worker (KIP-447, Kafka Streams' exactly_once_v2).

What keeps a worker that was taken for dead from committing: its offsets are refused, since it names the generation of
the group in which it got its partitions; at least once, its producer sends nothing any more (`Lease`); and whoever has
them now does not begin before it is known what the last transaction with offsets of theirs came to.

A worker that was killed leaves a transaction open, and up to its end nobody gets what comes after it in the partitions
that it wrote to. The broker would end it after its timeout only. So committed offsets have the transactional id along
with them, and whoever gets a partition from a worker that is in the group no more begins with its ids, which ends them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar, Final, Protocol

from aiokafka.errors import InvalidProducerEpoch
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.types import TP

from streamapp.kafka.commit_metadata import CommitMetadata
from streamapp.kafka.protocol import Membership
from streamapp.kafka.transactions import close, commit_offsets_as
from streamapp.runtime.outbox import Outbox

__all__ = ["AtLeastOnce", "Delivery", "ExactlyOnce"]

#: Seconds before a transactional id is asked for again.
AGAIN: Final = 0.1


class Delivery(Protocol):
    """What a processing guarantee is made of."""

    #: Whether results, rows and offsets of a commit become valid at once.
    atomic: ClassVar[bool]

    async def open(self, partitions: Iterable[TP]) -> None:
        """Begin with the partitions of a new generation, before anything of them or their changelogs is read."""
        ...

    async def place(self, offsets: Mapping[TP, int]) -> None:
        """Commit from where partitions are read, before anything of them is.

        Raises:
            KafkaError: if the broker refuses.
            TimeoutError: if it does not answer.
        """
        ...

    def cut(self) -> None:
        """Keep what is put into the outbox from now on out of the commit that begins."""
        ...

    async def commit(self, offsets: Mapping[TP, int]) -> None:
        """Make valid what has arrived before the cut, with the offsets of the input that it comes of.

        Raises:
            KafkaError: if the broker refuses.
            TimeoutError: if it does not answer; it may have done it, or not.
        """
        ...

    async def close(self) -> None:
        """Stop: nothing more will be sent."""
        ...


class AtLeastOnce:
    """Offsets that are committed once all has arrived that comes of their input."""

    atomic: ClassVar = False

    def __init__(self, app: Any, outbox: Outbox) -> None:
        self._app = app
        self._outbox = outbox

    async def open(self, partitions: Iterable[TP]) -> None:
        """Send through Faust's producer, as long as this worker has its partitions.

        Raises:
            KafkaError: if a new one is needed, and the broker does not allow it.
            LostError: see `Positions.begin`.
        """
        app = self._app
        await app.producer.renew()
        producer = app.producer.aiokafka
        producer.fence(app.consumer.group.lease)
        self._outbox.use(producer)
        mine = [tp for tp in partitions if app.topics.acks_enabled_for(tp.topic)]
        group = app.consumer.group
        moved = await app.consumer.positions.begin(await group.committed_now(mine), mine)
        app.resumption.moved(moved)
        await group.begin_at(moved, moved)
        await app.consumer.commit_offsets(moved)

    async def place(self, offsets: Mapping[TP, int]) -> None:
        """Commit the offsets."""
        await self._app.consumer.commit_offsets(offsets)

    def cut(self) -> None:
        """Go on with the same producer: what arrives before its offsets are committed may be there twice."""
        self._outbox.cut(self._app.producer.aiokafka)

    async def commit(self, offsets: Mapping[TP, int]) -> None:
        """Commit the offsets."""
        self._app.resumption.progress(offsets)
        await self._app.consumer.commit_offsets(offsets)

    async def close(self) -> None:
        """Do nothing: Faust stops its producer."""


class ExactlyOnce:
    """Offsets that are committed in a transaction with all that comes of their input.

    Two producers take turns: while the transaction of one is being committed, the other one's is filled. They are
    committed in turn, too, so a transaction becomes valid only if all before it have.
    """

    atomic: ClassVar = True

    def __init__(self, app: Any, outbox: Outbox) -> None:
        self._app = app
        self._outbox = outbox
        self._membership: Membership
        self._current: Any
        self._other: Any
        #: Up to where each partition is read and committed.
        self._committed: dict[TP, int] = {}
        #: All producers that were made, until they are closed.
        self._producers: list[Any] = []
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self, partitions: Iterable[TP]) -> None:
        """End what whoever had the partitions has left; then read on from where that got.

        Raises:
            KafkaError: if the broker does not allow it.
            LostError: see `Positions.begin`.
        """
        await self.close()
        app = self._app
        group = app.consumer.group
        self._membership = group.membership(app.consumer_generation_id)
        self._current, self._other = await self._begun(self._id)
        mine = [tp for tp in partitions if app.topics.acks_enabled_for(tp.topic)]
        await self._end_those_left_behind(mine)
        committed = await group.committed(mine, stable=True)
        moved = await app.consumer.positions.begin(committed, mine)
        app.resumption.moved(moved)
        begins = {tp: offset for tp, (offset, _) in committed.items()} | moved
        # Of a topic that is gone nobody can tell a position; once it is there again the group rebalances.
        there = [tp for tp in mine if tp.topic in app.consumer.positions.there]
        self._committed = await group.begin_at(there, begins)
        if there:  # whoever gets them next knows then whose transactions there may be
            await self._commit(self._committed)
        self._outbox.use(self._current)

    @property
    def _id(self) -> str:
        return f"{self._app.conf.id}-{self._app.conf.consumer_group_instance_id}"

    async def _end_those_left_behind(self, partitions: Collection[TP]) -> None:
        """End transactions of workers that had these partitions, and are in the group no more."""
        group, prefix = self._app.consumer.group, f"{self._app.conf.id}-"
        committed = await group.committed(partitions, stable=False)
        ids = {CommitMetadata.parse(each.metadata).transactional_id for each in committed.values()}
        named = {name for name in ids if name.startswith(prefix)} - {self._id}
        if named:
            named -= {prefix + instance for instance in await group.instances()}
        for name in named:
            await asyncio.gather(*map(close, await self._begun(name)))

    async def _begun(self, name: str) -> tuple[Any, Any]:
        """Make two producers, which ends what earlier ones with their ids have left open."""
        return await asyncio.gather(self._begin(f"{name}-0"), self._begin(f"{name}-1"))

    async def _begin(self, transactional_id: str) -> Any:
        while True:
            producer = self._app.producer.transactional(transactional_id)
            self._producers.append(producer)
            commit_offsets_as(producer, self._membership)
            try:
                await producer.start()
            except InvalidProducerEpoch:  # the last owner was just about to abort, or another one has begun
                await producer.stop()
                await asyncio.sleep(AGAIN)
            else:
                await producer.begin_transaction()
                return producer

    async def place(self, offsets: Mapping[TP, int]) -> None:
        """Commit the offsets in a transaction of their own."""
        if offsets:
            await self._commit(offsets)
            self._committed.update(offsets)

    def cut(self) -> None:
        """Go on with the other producer."""
        self._current, self._other = self._other, self._current
        self._outbox.cut(self._current)

    async def commit(self, offsets: Mapping[TP, int]) -> None:
        """Commit the transaction of the producer before the cut, with the offsets.

        If there are none, one that is committed already goes again: by it the broker sees whether this is a zombie.
        """
        self._app.resumption.progress(offsets)
        await self._commit(offsets or dict(list(self._committed.items())[:1]))
        self._committed.update(offsets)
        self._app.consumer.committed(offsets)

    async def _commit(self, offsets: Mapping[TP, int]) -> None:
        producer, conf, metadata = self._other, self._app.conf, self._app.resumption.metadata
        async with asyncio.timeout(conf.broker_session_timeout):
            await producer.send_offsets_to_transaction(
                {
                    TopicPartition(*tp): OffsetAndMetadata(offset, metadata(tp, self._id))
                    for tp, offset in offsets.items()
                },
                conf.id,
            )
            await producer.commit_transaction()
        await producer.begin_transaction()

    async def close(self) -> None:
        """Abort what is open."""
        producers, self._producers = self._producers, []
        self._closing |= {asyncio.create_task(close(producer)) for producer in producers}
        if self._closing:
            done, _ = await asyncio.wait(self._closing)
            self._closing -= done
