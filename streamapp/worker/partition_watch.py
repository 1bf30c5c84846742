"""Watches how many partitions the topics have: a worker whose tables have other partitions must not go on.

aiokafka asks for the metadata of its topics after minutes only, and then rebalances: Faust's assignor (0.15.3) puts
those with equally many partitions together, and would part a topic that has got more from its table. Read from aiokafka
0.14.0 (`aiokafka/client.py`, `aiokafka/consumer/group_coordinator.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest
from mode import Service

from streamapp.worker.growth import PartitionsChangedError, advice, free_topics

if TYPE_CHECKING:
    from streamapp.worker.consumer_thread import ConsumerThread

__all__ = ["PartitionWatch"]

#: Seconds between two looks: producers hear of new partitions after minutes, or when they start.
LOOK_S: Final = 5.0
#: Seconds that the broker has for its answer.
ANSWER_S: Final = 5.0


class PartitionWatch(Service):
    """Stops the worker when a topic that is joined, or kept in a table, has got more partitions.

    Those of other topics are read, too, after a rebalance.

    Args:
        app: the Faust app; `App.partition_counts` has the topics with what they had before the start.
        thread: in which the worker is in its group.
        client: returns aiokafka's client of the agents' loop; None = it is not there yet.
    """

    def __init__(self, app: Any, thread: ConsumerThread, client: Any, **kwargs: Any) -> None:
        self._app = app
        self._thread = thread
        self._client = client
        super().__init__(**kwargs)

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await self.sleep(LOOK_S)
            await self.passed()

    async def passed(self) -> bool:
        """Return whether the worker may go on; if not, it is about to stop."""
        expected: dict[str, int] = self._app.partition_counts
        found = await self._counts(expected)
        changed = {topic: count for topic, count in found.items() if count != expected[topic]}
        if not changed:
            return True
        free = free_topics(self._app)
        told = " and ".join(
            f"{topic} has {count} partitions now, not {expected[topic]}" for topic, count in changed.items()
        )
        if changed.keys() <= free:
            expected.update(changed)
            self.log.warning("%s: they are read after a rebalance", told)
            await self._thread.refresh()
            return True
        what_to_do = advice(self._app, {**expected, **found})
        text = f"{told}: keys are in others than before, and joins would be wrong; {what_to_do}"
        self._app.faults.report("partitions", text)
        await self._app.crash(PartitionsChangedError(text))
        return False

    async def _counts(self, topics: Iterable[str]) -> dict[str, int]:
        """Ask for the number of partitions of topics; those that the broker does not tell are left out."""
        client, metadata = self._client(), ClusterMetadata()
        node = client.get_random_node() if client is not None else None
        if node is None or not topics:
            return {}
        try:
            async with asyncio.timeout(ANSWER_S):
                request = MetadataRequest(list(topics), allow_auto_topic_creation=False)
                metadata.update_metadata(await client.send(node, request))
        except (KafkaError, TimeoutError):
            return {}  # a broker that is away; the next look asks again
        return {topic: len(known) for topic in topics if (known := metadata.partitions_for_topic(topic))}
