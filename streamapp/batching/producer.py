"""The producer: Faust's own, and whole batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from aiokafka.errors import MessageSizeTooLargeError
from faust.transport.drivers import aiokafka as driver

if TYPE_CHECKING:
    from streamapp.batching.output import Result

__all__ = ["Producer", "Sent"]


class Sent(msgspec.Struct):
    """What became of records that were sent to a partition."""

    #: The offset after the last of them.
    offset: int = 0
    #: Numbers of those that the topic refuses for their size (its ``max.message.bytes``).
    refused: list[int] = msgspec.field(default_factory=list)


class Producer(driver.Producer):
    """Faust's aiokafka producer, which can send batches too (read from aiokafka 0.14)."""

    async def partition_count(self, topic: str) -> int:
        """Give the number of partitions of a topic.

        Raises:
            KafkaError: if the broker does not know the topic.
        """
        return len(await self._ensure_producer().partitions_for(topic))

    async def send_batch(self, topic: str, partition: int, records: Sequence[Result]) -> Sent:
        """Send records to a partition in order and wait until the broker has them all.

        Raises:
            KafkaError: if the broker did not take them, but for those that are too large.
        """
        sent = Sent()
        parts = [range(len(records))]
        while parts:
            futures = [sending for part in parts for sending in await self._send(topic, partition, records, part)]
            # All are awaited before a failure is raised, so that none is still under way then.
            answers = await asyncio.gather(*(future for _, future in futures), return_exceptions=True)
            parts = []
            for (part, _), answer in zip(futures, answers, strict=True):
                if not isinstance(answer, BaseException):
                    sent.offset = answer.offset + len(part)
                elif not isinstance(answer, MessageSizeTooLargeError):
                    raise answer
                elif len(part) == 1:
                    sent.refused += part
                else:
                    # The broker refuses a batch as a whole: its halves tell which of its records it is.
                    middle = len(part) // 2
                    parts += [part[:middle], part[middle:]]
        return sent

    async def _send(
        self, topic: str, partition: int, records: Sequence[Result], part: range
    ) -> list[tuple[range, asyncio.Future[Any]]]:
        """Send records in as many batches as their sizes need; give the records and the answer to each batch."""
        producer = self._ensure_producer()
        batch, begin = producer.create_batch(), part.start
        batches = []
        for number in part:
            key, value, timestamp, headers = records[number]
            if batch.append(key=key, value=value, timestamp=timestamp, headers=headers) is None:
                batches.append((range(begin, number), batch))
                batch, begin = producer.create_batch(), number
                batch.append(key=key, value=value, timestamp=timestamp, headers=headers)
        batches.append((range(begin, part.stop), batch))
        sending = []
        for numbers, full in batches:
            full.close()
            sending.append((numbers, await producer.send_batch(full, topic, partition=partition)))
        return sending
