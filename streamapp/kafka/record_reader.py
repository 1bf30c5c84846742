"""Takes what aiokafka has fetched as whole record batches, without an object and a call for each record.

Read from aiokafka 0.14.0 (`aiokafka/consumer/fetcher.py`: `Fetcher.fetched_records`, `FetchResult.getall` and
`PartitionRecords._unpack_records`). There each record becomes a `ConsumerRecord`, which costs as much as reading it;
here the records stay what aiokafka's compiled reader makes of them.
"""

from __future__ import annotations

import struct

from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult
from aiokafka.errors import CorruptRecordException, RecordTooLargeError
from aiokafka.record.control_record import ABORT_MARKER, ControlRecord
from faust.types import TP

from streamapp.kafka.insides import Fetched, Fetcher, PartitionRecords, ReadBatch
from streamapp.kafka.record import Record
from streamapp.kafka.record_layout import CRC, LENGTH, MAGIC, UNCOUNTED, checksum
from streamapp.kafka.unreadable import UnreadableBatchError, read_again

__all__ = ["take"]


def take(fetcher: Fetcher, partitions: set[TP], max_records: int, max_bytes: int) -> dict[TP, list[Record]]:
    """Take the fetched records of these partitions, and have aiokafka fetch more of them.

    No further record batch of a partition is taken once there are so many records, or their values are so large.

    Raises:
        UnreadableBatchError: once all that was before it is taken; the fetcher is of no more use then.
        KafkaError: what a fetch failed with, if nothing else was fetched.
    """
    taken: dict[TP, list[Record]] = {}
    for tp, result in list(fetcher._records.items()):
        if tp not in partitions:
            if not _is_wanted(fetcher, tp):
                del fetcher._records[tp]
            continue
        if isinstance(result, FetchResult):
            records = _unpack(result, max_records, max_bytes)
            if not result.has_more():
                _forget(fetcher, tp)
            if records:
                taken[TP(*tp)] = records
        elif not taken:
            _forget(fetcher, tp)
            try:
                result.check_raise()
            except RecordTooLargeError as exc:
                _, _, offset, _ = exc.args
                raise UnreadableBatchError(TP(*tp), offset, offset + 1, "the record batch has no end") from None
    return taken


def _is_wanted(fetcher: Fetcher, tp: TP) -> bool:
    """Return whether a partition is still read, and not paused."""
    subscription = fetcher._subscriptions.subscription
    assignment = subscription.assignment if subscription is not None else None
    return assignment is not None and tp in assignment.tps and not assignment.state_value(tp).paused


def _forget(fetcher: Fetcher, tp: TP) -> None:
    """Have aiokafka fetch more of a partition."""
    del fetcher._records[tp]
    fetcher._notify(fetcher._wait_consume_future)


def _unpack(result: Fetched, max_records: int, max_bytes: int) -> list[Record]:
    partition = result._partition_records if result.check_assignment(result._topic_partition) else None
    if partition is None:
        return []
    partition._records_iterator = None  # its generator, which is not used here, and it would hold each other
    taken: list[Record] = []
    size = 0
    while partition._records.has_next():
        if len(taken) >= max_records or size >= max_bytes:
            result._update_position()
            return taken
        try:
            records = _next(partition)
        except UnreadableBatchError:
            if not taken:
                raise
            break  # what comes before it goes first; then it is fetched again
        size += sum([len(record.value) for record in records if record.value is not None])
        taken += records
    result._update_position()
    result._partition_records = None
    return taken


def _next(partition: PartitionRecords) -> list[Record]:
    """Return the records of the next record batch that are to be seen: none of a transaction's marker or leavings."""
    begin, behind = partition.next_fetch_offset, 0
    try:
        batch = partition._records.next_batch()
        behind = batch.next_offset
        data = _bytes(partition)
        if partition._check_crcs:
            _check(batch, data)
        records = _read(partition, batch, data)
    except Exception as exc:  # a reader or a codec at damaged bytes may raise anything
        raise UnreadableBatchError(TP(*partition._tp), begin, max(behind, begin + 1), repr(exc)) from None
    # A fetch that begins within a record batch brings it from its start.
    if records and records[0].offset < begin:
        records = [record for record in records if record.offset >= begin]
    partition.next_fetch_offset = behind
    return records


def _bytes(partition: PartitionRecords) -> memoryview:
    """Return the bytes of the record batch that aiokafka's reader has just come to, which it does not give out."""
    at = partition.at
    (length,) = struct.unpack_from(">i", partition.data, at + LENGTH)
    partition.at = at + UNCOUNTED + length
    return memoryview(partition.data)[at : partition.at]


def _check(batch: ReadBatch, data: memoryview) -> None:
    """Compare a record batch with its checksum; a CorruptRecordException if it does not have it."""
    old = data[MAGIC] < 2  # with another checksum
    (told,) = struct.unpack_from(">I", data, CRC)
    if not (batch.validate_crc() if old else told == checksum(data)):
        raise CorruptRecordException("its checksum is wrong")


def _read(partition: PartitionRecords, batch: ReadBatch, data: memoryview) -> list[Record]:
    if _aborted(partition, batch) or batch.is_control_batch:
        return []
    try:
        return list(batch)
    except UnicodeDecodeError:  # the name of a header
        return read_again(data)


def _is_abort(marker: ReadBatch) -> bool:
    """Return whether a transaction's marker says that it was aborted; a compaction may have left an empty one."""
    record = next(iter(marker), None)
    return record is not None and bool(ControlRecord.parse(record.key) == ABORT_MARKER)


def _aborted(partition: PartitionRecords, batch: ReadBatch) -> bool:
    if partition._isolation_level != READ_COMMITTED or batch.producer_id is None:
        return False
    partition._consume_aborted_up_to(batch.base_offset)
    if batch.is_control_batch and _is_abort(batch):
        partition._aborted_producers.discard(batch.producer_id)
    return batch.is_transactional and batch.producer_id in partition._aborted_producers
