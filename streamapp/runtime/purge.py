"""Purges internal topics of what was processed; they keep the rest, however old it is.

As Kafka Streams does (``repartition.purge.interval.ms``), whoever owns a partition has the broker delete its records up
to the committed offset. Read from aiokafka 0.14.0 (`aiokafka/protocol/admin.py`).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection
from typing import Final, Protocol

from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError, for_code
from aiokafka.protocol.admin import DeleteRecordsRequest
from aiokafka.structs import TopicPartition
from faust.types import TP
from mode import Service

from streamapp.kafka.reader import Reader
from streamapp.runtime.alignment import Alignment

__all__ = ["Purge"]

#: Seconds between two purges, as `repartition.purge.interval.ms` of Kafka Streams.
PURGE_INTERVAL_S: Final = 30.0
#: Milliseconds that a broker may take.
DELETE_RECORDS_TIMEOUT_MS: Final = 10_000


class CommittedInput(Protocol):
    """The consumer."""

    reader: Reader
    #: How far its partitions are committed.
    alignment: Alignment


class Purge(Service):
    """Deletes what was processed of the internal topics with these names, which a consumer reads."""

    def __init__(self, consumer: CommittedInput, internal: Collection[str]) -> None:
        super().__init__()
        self._consumer = consumer
        self._internal = internal
        #: By partition, up to where it was purged.
        self._purged: dict[TP, int] = {}
        self._forbidden: set[str] = set()

    @Service.task
    async def _purge(self) -> None:
        while not self.should_stop:
            await self.sleep(PURGE_INTERVAL_S)
            await self.purge()

    async def purge(self) -> None:
        """Delete the records before the offsets that this worker has committed, if the brokers are there."""
        topics = set(self._internal) - self._forbidden
        lanes = self._consumer.alignment.lanes
        done = {tp: lane.committed for tp, lane in lanes.items() if tp.topic in topics and lane.committed}
        due = {tp: offset for tp, offset in done.items() if self._purged.get(tp) != offset}
        client = self._consumer.reader.client
        by_leader: dict[int, dict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
        for tp, offset in due.items():
            leader = client.cluster.leader_for_partition(TopicPartition(*tp))
            if leader not in {None, -1}:
                by_leader[leader][tp.topic].append((tp.partition, offset))
        for leader, partitions in by_leader.items():
            try:
                await self._delete(client, leader, list(partitions.items()), due)
            except (KafkaError, TimeoutError) as exc:
                self.log.info("Internal topics are purged later: %r", exc)

    async def _delete(
        self, client: AIOKafkaClient, leader: int, topics: list[tuple[str, list[tuple[int, int]]]], due: dict[TP, int]
    ) -> None:
        async with asyncio.timeout(DELETE_RECORDS_TIMEOUT_MS / 1000):
            request = DeleteRecordsRequest(topics, DELETE_RECORDS_TIMEOUT_MS)
            response = await client.send(leader, request, group=ConnectionGroup.COORDINATION)
        for topic, partitions, *_ in response.topics:
            for number, _, code, *_ in partitions:
                if not code:
                    self._purged[TP(topic, number)] = due[TP(topic, number)]
                elif for_code(code) is TopicAuthorizationFailedError and topic not in self._forbidden:
                    self._forbidden.add(topic)
                    self.log.warning(
                        "%s may not be purged of what was processed, and grows: the worker needs Delete on it", topic
                    )
