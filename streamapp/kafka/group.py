"""The consumer group, as transactions have to know it: who is in it, and which offsets are committed for good.

Read from aiokafka 0.14.0 (`aiokafka/consumer/group_coordinator.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Mapping
from typing import Final, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, NotCoordinatorForGroupError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.types import TP

from streamapp.kafka.insides import Coordinator, Response
from streamapp.kafka.lease import Lease
from streamapp.kafka.members import Described, StaticMember, described, members
from streamapp.kafka.protocol import Call, Membership, describe_group, fetch_offsets

__all__ = ["AGAIN", "Group", "passes"]

T = TypeVar("T")
#: Seconds before the broker is asked again.
AGAIN: Final = 0.05
#: The error code of offsets that a transaction has which has not ended (UNSTABLE_OFFSET_COMMIT).
UNSTABLE: Final = 88

Committed = Mapping[TP, OffsetAndMetadata]


class ConsumerThread(Protocol):
    """The thread in which aiokafka's consumer lives."""

    thread_loop: asyncio.AbstractEventLoop

    #: How long this worker may send what comes of its partitions.
    lease: Lease

    @property
    def aiokafka(self) -> AIOKafkaConsumer:
        """The consumer."""


class Group:
    """The group of a consumer, asked in the consumer's thread.

    All methods raise a `KafkaError` if what is asked for is not to be had.
    """

    def __init__(self, thread: ConsumerThread) -> None:
        self._thread = thread

    @property
    def lease(self) -> Lease:
        """How long this worker may send what comes of its partitions."""
        return self._thread.lease

    @property
    def _coordinator(self) -> Coordinator:
        coordinator: Coordinator = self._thread.aiokafka._coordinator
        return coordinator

    async def _there(self, asked: Coroutine[object, object, T]) -> T:
        """Return what is asked for, in the consumer's thread.

        Not Faust's `call_thread`: of its two workers one would wait along, which commits need.
        """
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asked, self._thread.thread_loop))

    def membership(self, generation: int) -> Membership:
        """Return as what the consumer is in a generation of the group."""
        coordinator = self._coordinator
        return Membership(coordinator.group_id, generation, coordinator.member_id, coordinator._group_instance_id)

    async def instances(self) -> set[str]:
        """Return the ids of the static members that are in the group."""
        return {one.instance for one in await self._there(self.members())}

    async def committed(self, partitions: Iterable[TP], *, stable: bool) -> Committed:
        """Return the committed offsets, of partitions that have one, with what was committed along with them.

        Args:
            stable: wait until no transaction is under way that may commit others.
        """
        return await self._there(self._committed(partitions, stable))

    async def reached(self, partitions: Iterable[TP]) -> dict[TP, int]:
        """Return up to where each of these partitions is committed, by whichever member, if it is."""
        return {tp: one.offset for tp, one in (await self.committed(partitions, stable=False)).items()}

    async def committed_now(self, partitions: Collection[TP]) -> Committed:
        """Return the committed offsets, of partitions that have one; any version of Kafka tells them."""
        asked = [TopicPartition(*tp) for tp in partitions]
        found = await self._there(self._coordinator.fetch_committed_offsets(asked))
        return {TP(*tp): committed for tp, committed in found.items()}

    async def topics(self) -> set[str]:
        """Return the topics of which the group has committed offsets, whoever reads them."""
        response = await self._there(self._ask(OffsetFetchRequest(self._coordinator.group_id, None)))
        return {topic for topic, numbers in response.topics for _, offset, *_ in numbers if offset >= 0}

    async def positions(self, partitions: Iterable[TP]) -> dict[TP, int]:
        """Return from where each of these partitions is to be read: its committed offset, if it has one.

        Raises:
            IllegalStateError: if this worker does not have one of them any more.
        """
        return await self._there(self._begin(partitions, {}))

    async def begin_at(self, partitions: Collection[TP], offsets: Mapping[TP, int]) -> dict[TP, int]:
        """Have the consumer read these partitions from given offsets; returns where it reads each of them.

        aiokafka may have begun elsewhere: it asked for the committed offsets before whoever had the partitions was
        fenced.

        Args:
            offsets: of those that are not to be read from where aiokafka begins anyway.
        """
        return await self._there(self._begin(partitions, offsets))

    async def _begin(self, partitions: Iterable[TP], offsets: Mapping[TP, int]) -> dict[TP, int]:
        consumer = self._thread.aiokafka
        positions = {tp: await consumer.position(TopicPartition(*tp)) for tp in partitions}
        for tp in positions.keys() & offsets.keys():
            if positions[tp] != offsets[tp]:
                positions[tp] = offsets[tp]
                consumer.seek(TopicPartition(*tp), positions[tp])
        return positions

    async def members(self) -> list[StaticMember]:
        """Return the static members; to be asked in the consumer's thread."""
        return members(await self._description())

    async def described(self) -> Described:
        """Return the group's state, and its members with what they are assigned."""
        return described(await self._there(self._description()))

    @property
    def member(self) -> str:
        """The id that the coordinator has given this worker; "" = it is no member now."""
        return self._coordinator.member_id

    async def _description(self) -> Response:
        while True:
            response = await self._ask(describe_group(self._coordinator.group_id))
            ((code, *_),) = response.groups
            if not await self._failed({code}):
                return response

    async def _committed(self, partitions: Iterable[TP], stable: bool) -> Committed:
        while True:
            response = await self._ask(fetch_offsets(self._coordinator.group_id, partitions, stable=stable))
            found = {
                TP(topic, number): (OffsetAndMetadata(offset, metadata), code)
                for topic, numbers, _ in response.topics
                for number, offset, _, metadata, code, _ in numbers
            }
            if not await self._failed({response.error_code, *(code for _, code in found.values())}):
                return {tp: committed for tp, (committed, _) in found.items() if committed.offset >= 0}

    async def _ask(self, call: Call | OffsetFetchRequest) -> Response:
        coordinator = self._coordinator
        while True:
            await coordinator.ensure_coordinator_known()
            try:
                return await coordinator._send_req(call)
            except KafkaError as exc:
                if not exc.retriable:
                    raise
                await asyncio.sleep(AGAIN)

    async def _failed(self, codes: set[int]) -> bool:
        """Return whether to ask again, after a while; a KafkaError if it is of no use."""
        for error in map(for_code, codes - {0, UNSTABLE}):
            if error is NotCoordinatorForGroupError:
                self._coordinator.coordinator_dead()
            elif not error.retriable:
                raise error(f"the consumer group {self._coordinator.group_id}")
        if codes == {0}:
            return False
        await asyncio.sleep(AGAIN)
        return True


def passes(error: KafkaError) -> bool:
    """Return whether it may go well the next time; of a lost connection aiokafka makes a plain `KafkaError`."""
    return type(error) is KafkaError or bool(error.retriable)
