"""Record batches: what a consumer reads of them, whenever and wherever they were compressed."""

from __future__ import annotations

import random
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.record.memory_records import MemoryRecords

from streamapp.batching.encoding import RecordBatch
from streamapp.batching.output import Envelope, Result

TEXT = [b"the same words again and again, " * 8] * 100
NOISE = [random.Random(1).randbytes(256)]


def record_batch(values: list[bytes], *, transactional: bool = False) -> RecordBatch:
    transactions = SimpleNamespace(transactional_id="id" if transactional else None)
    batch = RecordBatch(SimpleNamespace(_batch_size=1 << 20, _txn_manager=transactions))
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
@pytest.mark.parametrize(("values", "codec"), [(TEXT, 2), (NOISE, 0)], ids=["text", "noise"])
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


def test_what_is_sent_again_is_the_same() -> None:
    batch = record_batch(TEXT)
    batch._set_producer_state(7, 3, 1000)
    first = bytes(batch._build())
    assert batch._build() == first
    assert batch.size() == len(first)
