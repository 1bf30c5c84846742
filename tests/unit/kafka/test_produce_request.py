"""A produce request is written as aiokafka writes it, only faster."""

from __future__ import annotations

from aiokafka.protocol.produce import ProduceRequest_v8
from hypothesis import given
from hypothesis import strategies as st

from streamapp.kafka.produce_request import WrittenAtOnce

TEXTS = st.text(max_size=10)
INT16 = st.integers(-(2**15), 2**15 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)
BATCHES = st.lists(st.tuples(INT32, st.binary(max_size=50).map(bytearray)), max_size=4)
TOPICS = st.lists(st.tuples(TEXTS, BATCHES), max_size=4)


@given(st.none() | TEXTS, INT16, INT32, TOPICS)
def test_the_bytes_are_those_of_aiokafka(
    transactional_id: str | None, acks: int, timeout: int, topics: list[tuple[str, list[tuple[int, bytearray]]]]
) -> None:
    fields = (transactional_id, acks, timeout, topics)
    assert WrittenAtOnce(*fields).encode() == ProduceRequest_v8(*fields).encode()
