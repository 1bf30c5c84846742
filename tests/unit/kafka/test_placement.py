"""Topics that are joined must have been written by one partitioner."""

from __future__ import annotations

import zlib

from aiokafka.partitioner import murmur2

from streamapp.kafka.partitioners import misplaced

KEYS = [b"key %d" % number for number in range(20)]
COUNT = 4
BY_MURMUR2 = [(key, (murmur2(key) & 0x7FFFFFFF) % COUNT) for key in KEYS]
BY_CRC32 = [(key, zlib.crc32(key) % COUNT) for key in KEYS]
BY_NOBODY_KNOWS = [(key, number % COUNT) for number, key in enumerate(KEYS)]


def test_topics_that_were_written_by_one_partitioner_are_good() -> None:
    assert misplaced({"a": BY_MURMUR2, "b": BY_MURMUR2}, COUNT) is None
    assert misplaced({"a": BY_CRC32, "b": BY_CRC32[:3]}, COUNT) is None


def test_topics_that_were_written_by_two_partitioners_are_told_with_their_names() -> None:
    wrong = misplaced({"a": BY_MURMUR2, "b": BY_CRC32}, COUNT)
    assert wrong is not None
    assert "a was written by murmur2 (Java, aiokafka), b by CRC-32 (librdkafka)" in wrong


def test_of_a_partitioner_that_is_not_known_a_key_that_both_topics_have_tells() -> None:
    assert misplaced({"a": BY_NOBODY_KNOWS, "b": BY_NOBODY_KNOWS}, COUNT) is None
    wrong = misplaced({"a": BY_NOBODY_KNOWS, "b": BY_MURMUR2}, COUNT)
    assert wrong is not None
    assert "but the key b'key " in wrong


def test_of_a_topic_without_keys_nothing_is_said() -> None:
    assert misplaced({"a": BY_MURMUR2, "b": []}, COUNT) is None
