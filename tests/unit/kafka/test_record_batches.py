"""A record with a header name that is not UTF-8 is told apart; damaged bytes are told with their place."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, FetchError
from aiokafka.errors import RecordTooLargeError
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition
from faust.types import TP
from fetched import Fetcher
from raw_batches import Raw, RawName, record_batch

from streamapp.kafka.unreadable import Unreadable, UnreadableBatchError

CLICKS = TP("clicks", 3)
#: aiokafka's numbers of the codecs: none, gzip, snappy, lz4, zstd.
CODECS = range(5)
LENGTH, CRC, ATTRIBUTES, PRODUCER, COUNT = 8, 17, 21, 43, 57


def good(number: int) -> Raw:
    return f"k{number}".encode(), b"v" * number, 1_000 + number, [("trace", b"%d" % number), ("none", None)]


def bad(number: int, *names: bytes) -> Raw:
    key, value, timestamp, headers = good(number)
    return key, value, timestamp, [*headers, *((RawName(name), b"x") for name in names or (b"tr\xffce",))]


def fetcher_of(data: bytes, at: int = 0) -> Fetcher:
    return Fetcher(CLICKS, data, at)


def at(batch: bytes, offset: int) -> bytes:
    """Give a record batch the offset that a broker gave it."""
    return struct.pack(">q", offset) + batch[8:]


def shown(record: Any) -> tuple[Any, ...]:
    return record.offset, record.key, record.value, record.timestamp, record.timestamp_type, record.headers


@pytest.mark.parametrize("codec", CODECS)
def test_only_the_record_at_fault_is_unreadable_and_all_else_is_as_ever(codec: int) -> None:
    records = fetcher_of(at(record_batch([good(0), bad(1), good(2), good(3)], codec=codec), 100), 100).take()
    plain = fetcher_of(at(record_batch([good(0), good(1), good(2), good(3)], codec=codec), 100), 100).take()
    assert [isinstance(record, Unreadable) for record in records] == [False, True, False, False]
    assert [shown(record) for record in (records[0], *records[2:])] == [
        shown(record) for record in (plain[0], *plain[2:])
    ]
    assert shown(records[1])[:5] == shown(plain[1])[:5]
    assert records[1].headers == [*plain[1].headers, ("tr\\xffce", b"x")]
    assert records[1].error == "the header name b'tr\\xffce' is not UTF-8"


def test_of_many_bad_names_the_first_is_told_and_not_more_of_it_than_one_can_read() -> None:
    (record,) = fetcher_of(record_batch([bad(1, b"\xff" * 10_000, b"\xfe", b"\xfd")])).take()
    assert "(and 2 more)" in record.error
    assert len(record.error) < 250
    assert [len(name) for name, _ in record.headers] == [5, 4, 40_000, 4, 4]


def test_record_batches_around_it_and_behind_it_are_read_and_the_position_goes_on() -> None:
    batches = [record_batch([good(0), good(1)]), record_batch([bad(2)]), record_batch([good(3)])]
    fetcher = fetcher_of(b"".join(map(at, batches, (0, 2, 3))))
    assert [record.offset for record in fetcher.take()] == [0, 1, 2, 3]
    assert fetcher.state.position == 4
    assert not fetcher._records


def test_a_fetch_that_begins_behind_it_does_not_bring_it_again() -> None:
    fetcher = fetcher_of(record_batch([bad(0), good(1)]), at=1)
    assert [record.offset for record in fetcher.take()] == [1]


def damaged_value(batch: bytes) -> bytes:
    return batch[:-5] + bytes([batch[-5] ^ 0xFF]) + batch[-4:]


def with_checksum(batch: bytes) -> bytes:
    return batch[:CRC] + struct.pack(">I", calc_crc32c(batch[ATTRIBUTES:])) + batch[ATTRIBUTES:]


def unknown_codec(batch: bytes) -> bytes:
    return with_checksum(batch[:ATTRIBUTES] + struct.pack(">h", 7) + batch[ATTRIBUTES + 2 :])


def no_lz4(batch: bytes) -> bytes:
    return with_checksum(batch[:ATTRIBUTES] + struct.pack(">h", 3) + batch[ATTRIBUTES + 2 :])


def too_short(batch: bytes) -> bytes:
    shorter = batch[:-4]
    return with_checksum(shorter[:LENGTH] + struct.pack(">i", len(shorter) - 12) + shorter[LENGTH + 4 :])


@pytest.mark.parametrize("damage", [damaged_value, unknown_codec, no_lz4, too_short])
@pytest.mark.parametrize("record", [good(2), bad(2)], ids=["good", "bad name"])
def test_damaged_bytes_are_told_with_their_place_once_what_is_before_them_was_taken(damage: Any, record: Raw) -> None:
    before, damaged = record_batch([good(0), good(1)]), at(damage(record_batch([record, record])), 2)
    behind = at(record_batch([good(4)]), 4)
    fetcher = fetcher_of(before + damaged + behind)
    assert [record.offset for record in fetcher.take()] == [0, 1]
    assert fetcher.state.position == 2
    fetcher = fetcher_of(damaged + behind, at=2)
    with pytest.raises(
        UnreadableBatchError, match=r"^clicks\[3\] cannot be read at offset 2: .* --to-offset 4 "
    ) as told:
        fetcher.take()
    assert "\n" not in str(told.value)


def test_a_record_batch_without_an_end_is_told_with_its_place() -> None:
    fetcher = fetcher_of(b"")
    error = RecordTooLargeError("text", TopicPartition(*CLICKS), 7, 1 << 20)
    fetcher._records = {CLICKS: FetchError(error=error, backoff=0)}
    with pytest.raises(UnreadableBatchError, match=r"^clicks\[3\] cannot be read at offset 7: "):
        fetcher.take()


def transactional(batch: bytes, producer: int, *, control: bool = False) -> bytes:
    """Make a record batch one of a producer's transaction; a control batch has nothing left in it."""
    data = bytearray(batch)
    data[ATTRIBUTES + 1] |= 0x30 if control else 0x10
    struct.pack_into(">q", data, PRODUCER, producer)
    if control:
        struct.pack_into(">i", data, COUNT, 0)
        del data[COUNT + 4 :]
        struct.pack_into(">i", data, LENGTH, len(data) - LENGTH - 4)
    struct.pack_into(">I", data, CRC, calc_crc32c(bytes(data[ATTRIBUTES:])))
    return bytes(data)


@pytest.mark.parametrize("isolation", [READ_UNCOMMITTED, READ_COMMITTED])
def test_a_marker_that_compaction_has_emptied_is_passed(isolation: int) -> None:
    marker = transactional(record_batch([good(0)]), 7, control=True)
    fetcher = Fetcher(CLICKS, at(marker, 5) + at(record_batch([good(1)]), 6), 5, isolation, [(7, 0)])
    assert [record.offset for record in fetcher.take()] == [6]
    assert fetcher.state.position == 7


@pytest.mark.parametrize(("isolation", "taken"), [(READ_UNCOMMITTED, [4, 5]), (READ_COMMITTED, [])])
def test_behind_an_aborted_transaction_goes_the_position_though_nothing_comes(isolation: int, taken: list[int]) -> None:
    left = transactional(record_batch([good(0), good(1)]), 7)
    fetcher = Fetcher(CLICKS, at(left, 4), 4, isolation, [(7, 4)])
    assert [record.offset for record in fetcher.take()] == taken
    assert fetcher.state.position == 6
