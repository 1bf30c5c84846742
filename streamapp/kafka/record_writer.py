"""Record batches made from many results at once (read from aiokafka 0.14.0, `producer/message_accumulator.py`)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import partial
from itertools import islice

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from streamapp.kafka.compression import NO_CODEC, compressed
from streamapp.kafka.insides import Accumulator
from streamapp.kafka.large_records import LARGE, LargeRecords
from streamapp.kafka.record import Result
from streamapp.kafka.record_layout import CRC, PRODUCER, checksum

__all__ = ["RecordBatch", "size_of"]


class RecordBatch(BatchBuilder):  # type: ignore[misc]
    """A record batch that aiokafka's producer sends as it is; it can be extended until the producer takes it.

    aiokafka's own takes one record a call, through two layers of Python, and makes an object for each; and it
    compresses slowly (`streamapp.kafka.compression`).
    """

    def __init__(self, accumulator: Accumulator) -> None:
        transactions = accumulator._txn_manager
        transactional = transactions is not None and transactions.transactional_id is not None
        super().__init__(accumulator._batch_size, 0, is_transactional=int(transactional))
        self._codec = accumulator._compression_type
        self._accumulator = accumulator
        self._large = partial(LargeRecords, accumulator._batch_size, is_transactional=transactional)
        self._relative_offset: int = 0
        self._buffer: bytearray | None = None
        self._built: bytearray | None = None
        #: Producer id and epoch, and the number of the first record, if the producer numbers them (KIP-98).
        self._state: tuple[int, int, int] | None = None
        #: Set as soon as the broker's answer is that it refuses the batch.
        self.refused = False

    @classmethod
    def of(cls, producer: AIOKafkaProducer) -> RecordBatch:
        """Return an empty one for an aiokafka producer."""
        return cls(producer._message_accumulator)

    def extend(self, results: Sequence[Result], start: int) -> int:
        """Append results from number `start` on while there is room; without more of it, close the batch.

        Returns the number of the first result that has no room; an empty batch has room for one at least.
        """
        count = self._relative_offset
        if not count and len(results[start][1] or b"") >= LARGE:
            self._builder = self._large()
        append, begin = self._builder.append, count - start
        for record, value in islice(results, start, None):
            if append(count, record.timestamp, record.key, value, record.headers) is None:
                self.close()
                if self._accumulator._linger_time:  # aiokafka's would send it only once it has lingered
                    self._accumulator._wakeup(self._accumulator._waiter_future)
                break
            count += 1
        self._relative_offset = count
        return count - begin

    def append(self, **record: object) -> None:
        """Have no room for single records, which aiokafka's producer would put between the results."""

    @property
    def compressed(self) -> bool:
        """Whether nothing is left to be compressed: `compress` has been called, or the codec is none."""
        return self._codec == NO_CODEC or self._buffer is not None

    def compress(self) -> bytearray:
        """Compress the records of the batch, which is closed, and give it; what `_build` adds is still missing.

        With a large one this is best done in another thread: the interpreter's lock is not held meanwhile.
        """
        if self._buffer is None:
            self._buffer = compressed(self._builder.build(), self._codec)
            del self._builder
        return self._buffer

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self.close()  # its records are counted now, and it is sent
        self._state = (producer_id, producer_epoch, base_sequence)
        self._built = None  # it may be sent a second time, after it was refused

    def _build(self) -> bytearray:
        if self._built is None:
            self.close()
            batch = self.compress()
            if self._state is not None:
                struct.pack_into(">qhi", batch, PRODUCER, *self._state)
            struct.pack_into(">I", batch, CRC, checksum(batch))
            self._built = batch
        return self._built


def size_of(result: Result, codec: int) -> int:
    """Return the bytes of a record batch with nothing but this result, compressed by a codec (`CODECS`)."""
    record, value = result
    builder = LargeRecords(0, is_transactional=False)
    builder.append(0, record.timestamp, record.key, value, record.headers)
    return len(compressed(builder.build(), codec))
