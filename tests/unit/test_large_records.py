"""Record batches of large values are, byte for byte, those of aiokafka's own builder but for the checksum."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from streamapp.batching.encoding import RecordBatch
from streamapp.batching.large_records import LARGE, LargeRecords
from streamapp.batching.layout import ATTRIBUTES, CRC
from streamapp.batching.output import Envelope, Result

data = st.none() | st.binary(max_size=300)
times = st.integers(0, 1 << 41)
headers = st.lists(st.tuples(st.text(max_size=20), data), max_size=3)
records = st.lists(st.tuples(times, data, data, headers), min_size=1, max_size=20)


@given(records, st.integers(0, 3_000), st.booleans())
def test_they_are_as_of_aiokafka(records, batch_size: int, transactional: bool) -> None:
    ours = LargeRecords(batch_size, is_transactional=transactional)
    theirs = DefaultRecordBatchBuilder(
        2,
        0,
        is_transactional=int(transactional),
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=0,
        batch_size=batch_size,
    )
    for number, record in enumerate(records):
        taken = theirs.append(number, *record)
        assert ours.append(number, *record) == (None if taken is None else taken.size)
        assert ours.size() == theirs.size()
        if taken is None:
            break
    expected = theirs.build()
    expected[CRC:ATTRIBUTES] = bytes(ATTRIBUTES - CRC)
    assert ours.build() == expected


@pytest.mark.parametrize("size", [LARGE - 1, LARGE])
def test_a_consumer_reads_what_was_sent_whatever_its_size(size: int) -> None:
    batch = RecordBatch(SimpleNamespace(_batch_size=1 << 20, _txn_manager=None))
    values = [bytes([number]) * size for number in range(20)]
    results: list[Result] = [(Envelope(b"key", number), value) for number, value in enumerate(values)]
    assert batch.extend(results[:12], 0) == 12
    assert batch.extend(results, 12) == 20
    found = MemoryRecords(bytes(batch._build())).next_batch()
    assert found.validate_crc()
    assert [(one.offset, one.timestamp, one.key, one.value) for one in found] == [
        (number, number, b"key", value) for number, value in enumerate(values)
    ]


def test_a_record_without_a_time_has_that_of_its_sending() -> None:
    batch = RecordBatch(SimpleNamespace(_batch_size=1 << 20, _txn_manager=None))
    batch.extend([(Envelope(b"key", None), bytes(LARGE))], 0)
    (found,) = MemoryRecords(bytes(batch._build())).next_batch()
    assert found.timestamp > 1_700_000_000_000
