"""The hash by which Kafka's clients choose partitions."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import murmur2 as slower
from hypothesis import example, given
from hypothesis import strategies as st

from streamapp.kafka.partitioner import murmur2


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_it_is_that_of_kafkas_own_tests(key: bytes, hashed: int) -> None:
    assert murmur2(key) == hashed & 0xFFFFFFFF


@given(st.binary(max_size=64))
@example(b"")
@example(b"\xff" * 7)
def test_it_is_that_of_aiokafka(key: bytes) -> None:
    assert murmur2(key) == slower(key) & 0xFFFFFFFF
