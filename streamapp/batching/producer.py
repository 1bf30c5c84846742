"""The producer: Faust's own, and whole batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from faust.transport.drivers import aiokafka as driver

if TYPE_CHECKING:
    from streamapp.batching.output import Result

__all__ = ["Producer"]


class Producer(driver.Producer):
    """Faust's aiokafka producer, which can send batches too (read from aiokafka 0.14)."""

    async def partition_count(self, topic: str) -> int:
        """Give the number of partitions of a topic.

        Raises:
            KafkaError: if the broker does not know the topic.
        """
        return len(await self._ensure_producer().partitions_for(topic))

    async def send_batch(self, topic: str, partition: int, records: Sequence[Result]) -> int:
        """Send records to a partition in order and wait until the broker has them all.

        Returns:
            the offset after the last of them.

        Raises:
            MessageSizeTooLargeError: if the topic refuses one of them for its size.
            KafkaError: if the broker did not take them.
        """
        producer = self._ensure_producer()
        batch = producer.create_batch()
        sent = []
        for key, value, timestamp, headers in records:
            if batch.append(key=key, value=value, timestamp=timestamp, headers=headers) is None:
                sent.append((await producer.send_batch(batch, topic, partition=partition), batch.record_count()))
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=timestamp, headers=headers)
        batch.close()
        sent.append((await producer.send_batch(batch, topic, partition=partition), batch.record_count()))
        # All are awaited before the first failure is raised, so that no later batch is still under way then.
        done = await asyncio.gather(*(future for future, _ in sent), return_exceptions=True)
        offset = 0
        for metadata, (_, count) in zip(done, sent, strict=True):
            if isinstance(metadata, BaseException):
                raise metadata
            offset = metadata.offset + count
        return offset
