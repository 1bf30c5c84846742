"""Record batches of large values are, byte for byte, those of aiokafka's own builder but for the checksum."""

from __future__ import annotations

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from streamapp.kafka.large_records import LargeRecords
from streamapp.kafka.record_layout import ATTRIBUTES, CRC

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
