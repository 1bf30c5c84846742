from __future__ import annotations

from streamapp.web.router import partitions_of

# From Kafka's UtilsTest (murmur2("foobar") = -790332482) and the CRC-32 of the same bytes, 0x9ef61f95.
MURMUR2, CRC32 = -790332482 & 0x7FFFFFFF, 0x9EF61F95


def test_the_java_clients_partition_comes_first_and_librdkafkas_second() -> None:
    assert list(partitions_of(b"foobar", 8)) == [MURMUR2 % 8, CRC32 % 8] == [6, 5]


def test_a_partition_in_which_both_agree_is_named_once() -> None:
    assert list(partitions_of(b"foobar", 1)) == [0]
