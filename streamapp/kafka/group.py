"""The consumer group, as transactions have to know it: who is in it, and which offsets are committed for good.

Read from aiokafka 0.14.0 (`aiokafka/consumer/group_coordinator.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, Protocol

from aiokafka.errors import KafkaError, NotCoordinatorForGroupError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.types import TP

from streamapp.kafka.lease import Lease
from streamapp.kafka.members import StaticMember, members
from streamapp.kafka.protocol import Call, Membership, describe_group, fetch_offsets

__all__ = ["AGAIN", "Group", "passes"]

#: Seconds before the broker is asked again.
AGAIN: Final = 0.05
#: The error code of offsets that a transaction has which has not ended (UNSTABLE_OFFSET_COMMIT).
UNSTABLE: Final = 88


class ConsumerThread(Protocol):
    """The thread in which aiokafka's consumer lives."""

    thread_loop: asyncio.AbstractEventLoop

    #: How long this worker may send what comes of its partitions.
    lease: Lease

    @property
    def aiokafka(self) -> Any:
        """The consumer."""
        ...

    async def call_thread(self, fun: Any, *args: Any) -> Any:
        """Call in the thread, and return what comes of it."""
        ...


class Group:
    """The group of a consumer, asked in the consumer's thread.

    Args:
        thread: of the consumer.
    """

    def __init__(self, thread: ConsumerThread) -> None:
        self._thread = thread

    def membership(self, generation: int) -> Membership:
        """Give as what the consumer is in a generation of the group."""
        coordinator = self._coordinator
        return Membership(coordinator.group_id, generation, coordinator.member_id, coordinator._group_instance_id)

    @property
    def _coordinator(self) -> Any:
        return self._thread.aiokafka._coordinator

    @property
    def lease(self) -> Lease:
        """How long this worker may send what comes of its partitions."""
        return self._thread.lease

    async def instances(self) -> set[str]:
        """Give the ids of the static members that are in the group.

        Raises:
            KafkaError: if they are not to be had.
        """
        found: list[StaticMember] = await self._thread.call_thread(self.members)
        return {one.instance for one in found}

    async def committed(self, partitions: Iterable[TP], *, stable: bool) -> Mapping[TP, OffsetAndMetadata]:
        """Give the committed offsets, of partitions that have one, with what was committed along with them.

        Args:
            partitions: the partitions.
            stable: wait until no transaction is under way that may commit others.

        Raises:
            KafkaError: if they are not to be had.
        """
        found: Mapping[TP, OffsetAndMetadata] = await self._thread.call_thread(self._committed, partitions, stable)
        return found

    async def positions(self, partitions: Iterable[TP]) -> dict[TP, int]:
        """Give from where each of these partitions is to be read: its committed offset, if it has one.

        Raises:
            IllegalStateError: if this worker does not have one of them any more.
            KafkaError: what keeps it from taking part in the group.
        """
        # Not `call_thread`: of its two workers one would wait along, which commits need.
        asked = asyncio.run_coroutine_threadsafe(self._positions(partitions), self._thread.thread_loop)
        return await asyncio.wrap_future(asked)

    async def reached(self, partitions: Iterable[TP]) -> dict[TP, int]:
        """Give up to where each of these partitions is committed, by whichever member, if it is.

        Raises:
            KafkaError: if it is not to be had.
        """
        # Not `call_thread`, as for the positions: it is asked again and again.
        asked = asyncio.run_coroutine_threadsafe(self._committed(partitions, stable=False), self._thread.thread_loop)
        return {tp: committed.offset for tp, committed in (await asyncio.wrap_future(asked)).items()}

    async def committed_now(self, partitions: Collection[TP]) -> Mapping[TP, OffsetAndMetadata]:
        """Return the committed offsets, of partitions that have one; any version of Kafka tells them.

        Raises:
            KafkaError: if they are not to be had.
        """
        asked = [TopicPartition(*tp) for tp in partitions]
        found = await self._thread.call_thread(self._coordinator.fetch_committed_offsets, asked)
        return {TP(*tp): committed for tp, committed in found.items()}

    async def topics(self) -> set[str]:
        """Return the topics of which the group has committed offsets, whoever reads them.

        Raises:
            KafkaError: if they are not to be had.
        """
        found: set[str] = await self._thread.call_thread(self._topics)
        return found

    async def _topics(self) -> set[str]:
        response = await self._ask(OffsetFetchRequest(self._coordinator.group_id, None))
        return {topic for topic, numbers in response.topics for _, offset, *_ in numbers if offset >= 0}

    async def begin_at(self, partitions: Collection[TP], offsets: Mapping[TP, int]) -> dict[TP, int]:
        """Have the consumer read these partitions from given offsets; returns where it reads each of them.

        aiokafka may have begun elsewhere: it asked for the committed offsets before whoever had the partitions was
        fenced.

        Args:
            partitions: the partitions.
            offsets: of those that are not to be read from where aiokafka begins anyway.

        Raises:
            KafkaError: if the offsets are not to be had.
        """
        positions: dict[TP, int] = await self._thread.call_thread(self._begin, partitions, offsets)
        return positions

    async def _begin(self, partitions: Collection[TP], offsets: Mapping[TP, int]) -> dict[TP, int]:
        positions = await self._positions(partitions)
        for tp in positions.keys() & offsets.keys():
            if positions[tp] != offsets[tp]:
                positions[tp] = offsets[tp]
                self._thread.aiokafka.seek(TopicPartition(*tp), positions[tp])
        return positions

    async def _positions(self, partitions: Iterable[TP]) -> dict[TP, int]:
        consumer = self._thread.aiokafka
        return {tp: await consumer.position(TopicPartition(*tp)) for tp in partitions}

    async def members(self) -> list[StaticMember]:
        """Return the static members; to be asked in the consumer's thread.

        Raises:
            KafkaError: if they are not to be had.
        """
        while True:
            response = await self._ask(describe_group(self._coordinator.group_id))
            ((code, *_),) = response.groups
            if not await self._failed({code}):
                return members(response)

    async def _committed(self, partitions: Iterable[TP], stable: bool) -> Mapping[TP, OffsetAndMetadata]:
        while True:
            response = await self._ask(fetch_offsets(self._coordinator.group_id, partitions, stable=stable))
            found = {
                TP(topic, number): (OffsetAndMetadata(offset, metadata), code)
                for topic, numbers, _ in response.topics
                for number, offset, _, metadata, code, _ in numbers
            }
            if not await self._failed({response.error_code, *(code for _, code in found.values())}):
                return {tp: committed for tp, (committed, _) in found.items() if committed.offset >= 0}

    async def _ask(self, call: Call | OffsetFetchRequest) -> Any:
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
        """Tell whether to ask again, after a while.

        Raises:
            KafkaError: if it is of no use.
        """
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
    """Tell whether it may go well the next time; of a lost connection aiokafka makes a plain `KafkaError`."""
    return type(error) is KafkaError or bool(error.retriable)
