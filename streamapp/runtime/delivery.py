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

import abc
import asyncio
import dataclasses
from collections.abc import Collection, Mapping
from typing import ClassVar, Final, Protocol

from aiokafka.errors import InvalidProducerEpoch
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.types import TP

from streamapp.kafka.commit_metadata import CommitMetadata
from streamapp.kafka.group import Group
from streamapp.kafka.lease import Lease
from streamapp.kafka.pipelining import PipeliningProducer
from streamapp.kafka.protocol import Membership
from streamapp.kafka.transactions import close, commit_offsets_as
from streamapp.runtime.outbox import Outbox
from streamapp.runtime.resumption import Resumption

__all__ = ["AtLeastOnce", "Delivery", "ExactlyOnce"]

#: Seconds before a transactional id is asked for again.
INIT_RETRY_S: Final = 0.1


class OffsetCommits(Protocol):
    """The consumer, whose offsets are committed."""

    @property
    def generation(self) -> int:
        """The group's generation in which this worker has its partitions."""

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> None:
        """Commit offsets.

        Raises:
            KafkaError: if the broker refuses.
            TimeoutError: if it does not answer.
        """

    def committed(self, offsets: Mapping[TP, int]) -> None:
        """Take note of offsets that are committed."""


class Producers(Protocol):
    """The worker's producer, and those that send in transactions, which end with the worker."""

    @property
    def aiokafka(self) -> PipeliningProducer:
        """What sends now, without transactions."""

    async def renew(self) -> None:
        """Have another one send, if it has given up."""

    def transactional(self, transactional_id: str) -> PipeliningProducer:
        """Return one that is not started yet."""

    async def close_transactional(self) -> None:
        """Abort what they have open, and stop all that were made."""


@dataclasses.dataclass
class Delivery(abc.ABC):
    """What a processing guarantee is made of."""

    #: Whether results, rows and offsets of a commit become valid at once.
    atomic: ClassVar[bool]

    outbox: Outbox
    group: Group
    consumer: OffsetCommits
    resumption: Resumption
    producers: Producers

    @abc.abstractmethod
    async def open(self, inputs: Collection[TP]) -> None:
        """Begin with the input partitions of a new generation, before anything of them or of changelogs is read.

        Raises:
            KafkaError: if the broker does not allow it.
            LostError: if records are gone unread, and the worker is to stop then.
        """

    @abc.abstractmethod
    def cut(self) -> None:
        """Keep what is put into the outbox from now on out of the commit that begins."""

    @abc.abstractmethod
    async def commit(self, offsets: Mapping[TP, int]) -> None:
        """Make valid what has arrived before the cut, with the offsets of the input that it comes of.

        Raises:
            KafkaError: if the broker refuses.
            TimeoutError: if it does not answer; it may have done it, or not.
        """


@dataclasses.dataclass
class AtLeastOnce(Delivery):
    """Offsets that are committed once all has arrived that comes of their input."""

    atomic: ClassVar = False

    #: How long the producer may send.
    lease: Lease

    async def open(self, inputs: Collection[TP]) -> None:
        """Send through Faust's producer, as long as this worker has its partitions."""
        await self.producers.renew()
        self.producers.aiokafka.fence(self.lease)
        self.outbox.use(self.producers.aiokafka)
        moved = await self.resumption.start(await self.group.committed_now(inputs), inputs)
        await self.group.begin_at(moved, moved)
        await self.commit(moved)

    def cut(self) -> None:
        """Go on with the same producer: what arrives before its offsets are committed may be there twice."""
        self.outbox.cut(self.producers.aiokafka)

    async def commit(self, offsets: Mapping[TP, int]) -> None:
        """Commit the offsets."""
        await self.consumer.commit_offsets(offsets)


@dataclasses.dataclass
class ExactlyOnce(Delivery):
    """Offsets that are committed in a transaction with all that comes of their input.

    Two producers take turns: while the transaction of one is being committed, the other one's is filled. They are
    committed in turn, too, so a transaction becomes valid only if all before it have.
    """

    atomic: ClassVar = True

    #: Seconds that the broker has for a commit.
    timeout_s: float
    #: Up to where each partition is read and committed.
    _committed: dict[TP, int] = dataclasses.field(default_factory=dict, init=False)
    _membership: Membership = dataclasses.field(init=False)
    _current: PipeliningProducer = dataclasses.field(init=False)
    _other: PipeliningProducer = dataclasses.field(init=False)

    async def open(self, inputs: Collection[TP]) -> None:
        """End what whoever had the partitions has left; then read on from where that got."""
        await self.producers.close_transactional()
        self._membership = self.group.membership(self.consumer.generation)
        self._current, self._other = await self._begun(self._id)
        await self._end_those_left_behind(inputs)
        committed = await self.group.committed(inputs, stable=True)
        moved = await self.resumption.start(committed, inputs)
        begins = {tp: offset for tp, (offset, _) in committed.items()} | moved
        # Of a topic that is gone nobody can tell a position; once it is there again the group rebalances.
        there = [tp for tp in inputs if tp.topic in self.resumption.positions.there]
        self._committed = await self.group.begin_at(there, begins)
        if there:  # whoever gets them next knows then whose transactions there may be
            await self._commit(self._committed)
        self.outbox.use(self._current)

    @property
    def _id(self) -> str:
        """What the ids of this worker's transactions begin with."""
        return f"{self._membership.group}-{self._membership.instance}"

    async def _end_those_left_behind(self, partitions: Collection[TP]) -> None:
        """End transactions of workers that had these partitions, and are in the group no more."""
        prefix = f"{self._membership.group}-"
        committed = await self.group.committed(partitions, stable=False)
        ids = {CommitMetadata.parse(each.metadata).transactional_id for each in committed.values()}
        named = {name for name in ids if name.startswith(prefix)} - {self._id}
        if named:
            named -= {prefix + instance for instance in await self.group.instances()}
        for name in named:
            await asyncio.gather(*map(close, await self._begun(name)))

    async def _begun(self, name: str) -> tuple[PipeliningProducer, PipeliningProducer]:
        """Make two producers, which ends what earlier ones with their ids have left open."""
        return await asyncio.gather(self._begin(f"{name}-0"), self._begin(f"{name}-1"))

    async def _begin(self, transactional_id: str) -> PipeliningProducer:
        while True:
            producer = self.producers.transactional(transactional_id)
            commit_offsets_as(producer, self._membership)
            try:
                await producer.start()
            except InvalidProducerEpoch:  # the last owner was just about to abort, or another one has begun
                await producer.stop()
                await asyncio.sleep(INIT_RETRY_S)
            else:
                await producer.begin_transaction()
                return producer

    def cut(self) -> None:
        """Go on with the other producer."""
        self._current, self._other = self._other, self._current
        self.outbox.cut(self._current)

    async def commit(self, offsets: Mapping[TP, int]) -> None:
        """Commit the transaction of the producer before the cut, with the offsets.

        If there are none, one that is committed already goes again: by it the broker sees whether this is a zombie.
        """
        await self._commit(offsets or dict(list(self._committed.items())[:1]))
        self._committed.update(offsets)
        self.consumer.committed(offsets)

    async def _commit(self, offsets: Mapping[TP, int]) -> None:
        producer, metadata = self._other, self.resumption.metadata
        named = {TopicPartition(*tp): OffsetAndMetadata(at, metadata(tp, self._id)) for tp, at in offsets.items()}
        async with asyncio.timeout(self.timeout_s):
            await producer.send_offsets_to_transaction(named, self._membership.group)
            await producer.commit_transaction()
        await producer.begin_transaction()
