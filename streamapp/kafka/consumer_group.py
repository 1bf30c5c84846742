"""A consumer group from outside: whether workers of it run, what it has committed, and where it is to begin."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError as AIOKafkaError
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import ConsumerGroupDescription

from streamapp.kafka.admin import Cluster, ClusterError
from streamapp.kafka.clients import aiokafka, reader
from streamapp.kafka.commit_metadata import By, CommitMetadata, new_placement
from streamapp.kafka.coordinator import COORDINATOR_RETRY_S, COORDINATOR_S, coordinated
from streamapp.kafka.partition import TP

__all__ = ["ConsumerGroup", "HasWorkersError"]

#: Error codes of offsets that are refused since the group has members.
HAS_MEMBERS: Final = frozenset(
    {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS}
)


class HasWorkersError(ClusterError):
    """A group that workers are in, though they must be stopped."""


class ConsumerGroup:
    """A consumer group, asked and changed by somebody who is not in it.

    Raises:
        ClusterError: by all methods, if the broker refuses.
    """

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self.name = name

    def check_empty(self) -> None:
        """Make sure that no worker runs; a HasWorkersError if one does."""
        asked = self._cluster.admin.describe_consumer_groups([self.name], request_timeout=COORDINATOR_S)
        group: ConsumerGroupDescription = self._cluster.answer(asked[self.name], self.name)
        if group.members:
            members = [(each.group_instance_id or each.client_id, each.host.lstrip("/")) for each in group.members]
            named = sorted(f"{member} at {host}" for member, host in members)
            raise HasWorkersError(
                f"workers of {self.name} run: {', '.join(named)}; stop them first (one that was killed is in the group "
                "until its session times out)"
            )

    def committed(self) -> dict[TP, tuple[int, CommitMetadata]]:
        """Return the committed offsets with their metadata; those of deleted topics stay for a while.

        By aiokafka: confluent-kafka (2.16) reads beyond the end of the metadata.
        """
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            return runner.run(self._committed())

    async def _committed(self) -> dict[TP, tuple[int, CommitMetadata]]:
        admin = AIOKafkaAdminClient(**aiokafka(self._cluster.settings))
        deadline = time.monotonic() + COORDINATOR_S
        try:
            await admin.start()
            while True:
                try:
                    found = await admin.list_consumer_group_offsets(self.name)
                except AIOKafkaError as exc:
                    if not exc.retriable or time.monotonic() > deadline:
                        raise
                    await asyncio.sleep(COORDINATOR_RETRY_S)
                else:
                    parse = CommitMetadata.parse
                    return {TP(*tp): (one.offset, parse(one.metadata)) for tp, one in found.items() if one.offset >= 0}
        except AIOKafkaError as exc:
            raise ClusterError(f"cannot read the committed offsets of {self.name}: {exc}") from None
        finally:
            await admin.close()

    def place(self, offsets: Mapping[TP, int], began: str = "") -> None:
        """Have workers begin at these offsets.

        Args:
            offsets: by partition.
            began: where that is, in the user's words.

        Raises:
            HasWorkersError: if one runs meanwhile; the broker refuses it then.
        """
        metadata = str(CommitMetadata(By.PLACED, began, placement=new_placement()))
        placed = [TopicPartition(*tp, offset, metadata) for tp, offset in sorted(offsets.items())]
        # By a consumer that does not join the group: librdkafka's admin client crashes at some answers (2.16).
        consumer = reader(self._cluster.settings, self.name)
        try:
            if placed:
                coordinated(lambda: _commit(consumer, placed))
        except KafkaException as exc:
            error: KafkaError = exc.args[0]
            if error.code() in HAS_MEMBERS:
                raise HasWorkersError(
                    f"workers of {self.name} run: its offsets cannot be set; stop them first"
                ) from None
            raise ClusterError(f"the offsets of {self.name} cannot be set: {error.str()}") from None
        finally:
            consumer.close()


def _commit(consumer: Consumer, offsets: list[TopicPartition]) -> None:
    found = consumer.commit(offsets=offsets, asynchronous=False) or []
    if refused := next((one.error for one in found if one.error is not None), None):
        raise KafkaException(refused)
