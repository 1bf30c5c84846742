"""Where keys lie: whether the topics of a join were written by the same partitioner, as far as a sample tells.

Java's clients and aiokafka use murmur2, librdkafka by default CRC-32: two producers that are not set alike put one key
into different partitions, and nothing of a join is found. No broker and no client tells of that.
"""

from __future__ import annotations

import itertools
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from confluent_kafka import KafkaException, Message, TopicPartition

from streamapp.kafka.clients import reader
from streamapp.kafka.partitioner import partition_of
from streamapp.settings import Settings

__all__ = ["PARTITIONERS", "Sample", "misplaced", "newest", "partitions_of", "placed_by", "sample"]

#: Records of each partition that are looked at.
NEWEST: Final = 50
#: Seconds that this may take; then what was read by then has to do.
SAMPLE_S: Final = 5.0
#: Less n, the offset of librdkafka for the n-th record from the end (RD_KAFKA_OFFSET_TAIL_BASE in rdkafka.h).
FROM_END: Final = -2_000

#: Keys, each with the partition that it was found in.
Sample = Sequence[tuple[bytes, int]]

PARTITIONERS: Final[Mapping[str, Callable[[bytes, int], int]]] = {
    "murmur2 (Java, aiokafka)": partition_of,
    "CRC-32 (librdkafka)": lambda key, count: zlib.crc32(key) % count,
}


def partitions_of(key: bytes, count: int) -> list[int]:
    """Return the partitions, of so many, that a producer may have put a key into, the likeliest first.

    That is murmur2 (Kafka's Java client, aiokafka, Faust, Kafka Streams), then CRC-32, the default of
    librdkafka and so of every producer made with confluent-kafka that does not set `partitioner`.
    """
    return list(dict.fromkeys(place(key, count) for place in PARTITIONERS.values())) if count else []


def misplaced(samples: Mapping[str, Sample], count: int) -> str | None:
    """Return what is wrong with the partitions of the keys of topics that are joined, each of which has `count`."""
    found = {topic: keys for topic, keys in samples.items() if keys}
    for one, other in itertools.combinations(found, 2):
        ours, theirs = (placed_by(found[topic], count) for topic in (one, other))
        if ours & theirs:
            continue
        if ours and theirs:
            return (
                f"{one} and {other} are joined, but a key is not in the same partition of both: {one} was written by "
                f"{' or '.join(sorted(ours))}, {other} by {' or '.join(sorted(theirs))}; set librdkafka's "
                f"partitioner=murmur2_random, and write one of them anew"
            )
        places = dict(found[one])
        for key, partition in found[other]:
            if places.get(key, partition) != partition:
                return (
                    f"{one} and {other} are joined, but the key {key!r} is in partition {places[key]} of {one} and in "
                    f"partition {partition} of {other}; write them with one partitioner"
                )
    return None


def placed_by(keys: Sample, count: int) -> set[str]:
    """Return the partitioners that may have placed keys so, among so many partitions."""
    return {
        name for name, place in PARTITIONERS.items() if all(place(key, count) == partition for key, partition in keys)
    }


def sample(settings: Settings, topics: Iterable[str], count: int) -> dict[str, Sample]:
    """Read the keys of the newest records of each partition of topics."""
    found: dict[str, list[tuple[bytes, int]]] = {topic: [] for topic in topics}
    for message in newest(settings, found, count):
        topic, key, partition = message.topic(), message.key(), message.partition()
        if topic is not None and key is not None and partition is not None:
            found[topic].append((key, partition))
    return dict(found)


def newest(settings: Settings, topics: Iterable[str], count: int) -> Iterator[Message]:
    """Read the newest records of each partition of topics, each of which has `count`.

    Raises:
        KafkaException: if the broker does not allow it.
    """
    consumer = reader(settings, f"{settings.id}-sample")
    # From the end on: a question for the offsets would fail while a topic that was just made has no leader, which a
    # reader waits for.
    partitions = [
        TopicPartition(topic, partition, FROM_END - NEWEST)
        for topic, partition in itertools.product(topics, range(count))
    ]
    missing = len(partitions)
    deadline = time.monotonic() + SAMPLE_S
    try:
        consumer.assign(partitions)
        while missing and (message := consumer.poll(max(0.0, deadline - time.monotonic()))) is not None:
            error = message.error()
            if error is None:
                yield message
            elif error.name() == "_PARTITION_EOF":
                missing -= 1
            elif error.fatal():
                raise KafkaException(error)
    finally:
        consumer.close()
