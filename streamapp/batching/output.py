"""Batched output: results go to their topic as record batches, and are awaited as a whole."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.partitioner import murmur2

if TYPE_CHECKING:
    from streamapp.batching.batch import Batch
    from streamapp.batching.producer import Producer

__all__ = ["Output", "Result"]

Headers = list[tuple[str, bytes]]
#: Key, value, event time (ms; None = the time of sending) and headers of a record to be sent.
Result = tuple[bytes | None, bytes | None, int | None, Headers]


class Output:
    """A topic that results are sent to.

    Args:
        app: the app whose producer sends.
        topic: the topic's name.
    """

    def __init__(self, app: Any, topic: str) -> None:
        self._app = app
        self.topic = topic
        #: Records that the broker has acknowledged.
        self.sent = 0

    async def send(self, results: Sequence[Result], *, like: Batch | None = None) -> list[int]:
        """Send results, each to the partition of its key, and wait until the broker has them all.

        Args:
            results: in the order in which they should stand in their partitions.
            like: a batch with the same keys: if its topic has as many partitions as this one, the results
                belong into the partition of the same number and no key has to be hashed.

        Returns:
            the numbers of the results that the topic refuses for their size (its ``max.message.bytes``).

        Raises:
            KafkaError: if the broker did not take the others.
        """
        if not results:
            return []
        producer: Producer = self._app.producer
        count = await producer.partition_count(self.topic)
        everything = range(len(results))
        if like is not None and await producer.partition_count(like.topic) == count:
            return await self._send_to(producer, like.partition, results, everything)
        partitions: dict[int, list[int]] = defaultdict(list)
        known: dict[bytes | None, int] = {}
        for number in everything:
            key = results[number][0]
            partition = known.get(key)
            if partition is None:
                partition = known[key] = partition_of(key, count)
            partitions[partition].append(number)
        refused = await asyncio.gather(
            *(self._send_to(producer, partition, results, part) for partition, part in partitions.items())
        )
        return [number for part in refused for number in part]

    async def send_one(self, key: bytes | None, value: bytes | None, timestamp: int, headers: Headers) -> None:
        """Send one record and wait until the broker has it.

        Raises:
            MessageSizeTooLargeError: if the topic refuses it for its size.
            KafkaError: if the broker did not take it for another reason.
        """
        if await self.send([(key, value, timestamp, headers)]):
            raise MessageSizeTooLargeError(f"{self.topic} takes no record of {len(value or b''):,} bytes")

    async def _send_to(
        self, producer: Producer, partition: int, results: Sequence[Result], numbers: Sequence[int]
    ) -> list[int]:
        sent = await producer.send_batch(self.topic, partition, [results[number] for number in numbers])
        self.sent += len(numbers) - len(sent.refused)
        return [numbers[refused] for refused in sent.refused]


def partition_of(key: bytes | None, count: int) -> int:
    """Give the partition of a key, as Java's default partitioner does; a null key goes to the first one."""
    return 0 if key is None else (murmur2(key) & 0x7FFFFFFF) % count
