"""Record batches: what a consumer reads of them, whenever and wherever they were compressed."""

from __future__ import annotations

import random
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.record.memory_records import MemoryRecords

from streamapp.kafka.compression import CODECS
from streamapp.kafka.large_records import LARGE
from streamapp.kafka.record import Envelope, Result
from streamapp.kafka.record_layout import RECORDS
from streamapp.kafka.record_writer import RecordBatch
from streamapp.settings import Compression

SNAPPY = CODECS[Compression.SNAPPY]
#: In the descriptor of an LZ4 frame.
INDEPENDENT = 1 << 5
TEXT = [b"the same words again and again, " * 8] * 100
NOISE = [random.Random(1).randbytes(256)]
LARGE_TEXT = [b"the same words again and again, " * 80] * 100
LARGE_NOISE = [random.Random(1).randbytes(LARGE)]


def empty(*, transactional: bool = False, codec: int = SNAPPY) -> RecordBatch:
    transactions = SimpleNamespace(transactional_id="id" if transactional else None)
    return RecordBatch(
        SimpleNamespace(_batch_size=1 << 20, _compression_type=codec, _linger_time=0, _txn_manager=transactions)
    )


def record_batch(values: list[bytes], *, transactional: bool = False, codec: int = SNAPPY) -> RecordBatch:
    batch = empty(transactional=transactional, codec=codec)
    results: list[Result] = [
        (Envelope(b"key", number, [("name", b"header")]), value) for number, value in enumerate(values)
    ]
    assert batch.extend(results, 0) == len(results)
    return batch


def read(batch: RecordBatch) -> Any:
    return MemoryRecords(bytes(batch._build())).next_batch()


def compress_in_a_thread(batch: RecordBatch) -> None:
    batch.close()
    thread = threading.Thread(target=batch.compress)
    thread.start()
    thread.join()


@pytest.mark.parametrize("early", [False, True], ids=["when-sent", "in-a-thread-before"])
@pytest.mark.parametrize(
    ("values", "codec"),
    [(TEXT, 2), (NOISE, 0), (LARGE_TEXT, 2), (LARGE_NOISE, 0)],
    ids=["text", "noise", "large-text", "large-noise"],
)
class TestReader:
    def test_it_gets_the_records_as_they_were(self, values: list[bytes], codec: int, early: bool) -> None:
        batch = record_batch(values)
        if early:
            compress_in_a_thread(batch)
        found = read(batch)
        assert found.validate_crc()
        assert found.compression_type == codec
        records = [(one.offset, one.timestamp, one.key, one.value, list(one.headers)) for one in found]
        assert records == [(n, n, b"key", value, [("name", b"header")]) for n, value in enumerate(values)]

    def test_it_is_told_by_which_producer_they_were_sent(self, values: list[bytes], codec: int, early: bool) -> None:
        batch = record_batch(values, transactional=True)
        if early:
            compress_in_a_thread(batch)
        batch._set_producer_state(7, 3, 1000)
        found = read(batch)
        assert found.validate_crc()
        assert (found.producer_id, found.producer_epoch, found.base_sequence) == (7, 3, 1000)
        assert found.is_transactional


@pytest.mark.parametrize("values", [TEXT, LARGE_TEXT], ids=["text", "large-text"])
@pytest.mark.parametrize("compression", Compression)
def test_it_is_compressed_by_the_codec_that_was_chosen(values: list[bytes], compression: Compression) -> None:
    batch = record_batch(values, codec=CODECS[compression])
    found = read(batch)
    assert found.validate_crc()
    assert (found.compression_type, [one.value for one in found]) == (CODECS[compression], values)
    assert (batch.size() < len(values) * len(values[0])) is (compression is not Compression.NONE)


def test_blocks_of_lz4_do_not_depend_on_each_other_as_brokers_demand() -> None:
    batch = record_batch(TEXT, codec=CODECS[Compression.LZ4])
    magic, descriptor = bytes(batch._build())[RECORDS:][:4], batch._build()[RECORDS + 4]
    assert magic == bytes.fromhex("04224d18")
    assert descriptor & INDEPENDENT


def test_what_is_sent_again_is_the_same() -> None:
    batch = record_batch(TEXT)
    batch._set_producer_state(7, 3, 1000)
    first = bytes(batch._build())
    assert batch._build() == first
    assert batch.size() == len(first)


@pytest.mark.parametrize("size", [LARGE - 1, LARGE])
def test_a_consumer_reads_what_was_sent_whatever_its_size(size: int) -> None:
    batch = empty()
    values = [bytes([number]) * size for number in range(20)]
    results: list[Result] = [(Envelope(b"key", number), value) for number, value in enumerate(values)]
    assert batch.extend(results[:12], 0) == 12
    assert batch.extend(results, 12) == 20
    found = read(batch)
    assert found.validate_crc()
    assert [(one.offset, one.timestamp, one.key, one.value) for one in found] == [
        (number, number, b"key", value) for number, value in enumerate(values)
    ]


def test_a_record_without_a_time_has_that_of_its_sending() -> None:
    batch = empty()
    batch.extend([(Envelope(b"key", None), bytes(LARGE))], 0)
    (found,) = read(batch)
    assert found.timestamp > 1_700_000_000_000
