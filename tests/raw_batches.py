"""Record batches as only a faulty or a foreign producer makes them: with header names that are any bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

__all__ = ["RawName", "produce_raw", "record_batch"]

#: key, value, timestamp, headers.
Raw = tuple[bytes | None, bytes | None, int, Sequence[tuple[str, bytes | None]]]


class RawName(str):
    """The name of a header, made of bytes that need not be UTF-8."""

    __slots__ = ()

    def __new__(cls, name: bytes) -> Self:
        return super().__new__(cls, name, "utf-8", "surrogateescape")

    def encode(self, *_: Any) -> bytes:
        return super().encode("utf-8", "surrogateescape")


def record_batch(records: Sequence[Raw], *, codec: int = 0) -> bytes:
    """Make a record batch, whose offsets begin at 0."""
    builder = _DefaultRecordBatchBuilderPy(
        magic=2,
        compression_type=codec,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 30,
    )
    for number, (key, value, timestamp, headers) in enumerate(records):
        builder.append(number, timestamp, key, value, list(headers))
    return bytes(builder.build())


async def produce_raw(bootstrap: str, topic: str, partition: int, records: Sequence[Raw], *, codec: int = 0) -> int:
    """Send records as one record batch, and give the offset of the first."""
    batch = _Built(record_batch(records, codec=codec), len(records))
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        sent = await producer.send_batch(batch, topic, partition=partition)
        return int((await sent).offset)


class _Built(BatchBuilder):  # type: ignore[misc]  # it has no types
    def __init__(self, data: bytes, count: int) -> None:
        super().__init__(1 << 20, 0, is_transactional=0)
        self._buffer = data
        self._relative_offset = count
        self.close()
