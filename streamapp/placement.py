"""Where keys lie: whether the topics of a join were written by the same partitioner, as far as a sample tells.

Java's clients and aiokafka use murmur2, librdkafka by default CRC-32: two producers that are not set alike put one key
into different partitions, and nothing of a join is found. No broker and no client tells of that.
"""

from __future__ import annotations

import itertools
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from streamapp.batching.output import partition_of
from streamapp.settings import Settings

__all__ = ["PARTITIONERS", "Sample", "laid_among", "misplaced", "newest", "sample"]

#: Records of each partition that are looked at.
NEWEST: Final = 50
#: Seconds that this may take; then what was read by then has to do.
PATIENCE: Final = 5.0
#: Less n, the offset of librdkafka for the n-th record from the end (RD_KAFKA_OFFSET_TAIL_BASE in rdkafka.h).
FROM_END: Final = -2_000

#: Keys, each with the partition that it was found in.
Sample = Sequence[tuple[bytes, int]]

PARTITIONERS: Final[Mapping[str, Callable[[bytes, int], int]]] = {
    "murmur2 (Java, aiokafka)": partition_of,
    "CRC-32 (librdkafka)": lambda key, count: zlib.crc32(key) % count,
}


def misplaced(samples: Mapping[str, Sample], count: int) -> str | None:
    """Say what is wrong with the partitions of the keys of topics that are joined; None = nothing is known to be.

    Args:
        samples: of each topic.
        count: how many partitions each of them has.
    """
    found = {topic: keys for topic, keys in samples.items() if keys}
    for one, other in itertools.combinations(found, 2):
        ours, theirs = (_partitioners(found[topic], count) for topic in (one, other))
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


def laid_among(keys: Sample, count: int) -> bool:
    """Tell whether one partitioner may have placed all the keys so, among so many partitions."""
    return bool(_partitioners(keys, count))


def _partitioners(keys: Sample, count: int) -> set[str]:
    """Give the partitioners that may have placed keys so."""
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
    """Read the newest records of each partition of topics.

    Args:
        settings: where the broker is.
        topics: full names.
        count: how many partitions each of them has.

    Raises:
        KafkaException: if the broker does not allow it.
    """
    reader: Any = Consumer(
        {
            **settings.librdkafka(),
            "group.id": f"{settings.id}-sample",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,  # the end of a partition is told when a fetch comes back
            "auto.offset.reset": "earliest",  # where a partition has fewer records
            "log_level": 0,
        }
    )
    # From the end on: a question for the offsets would fail while a topic that was just made has no leader, which a
    # reader waits for.
    partitions = [
        TopicPartition(topic, partition, FROM_END - NEWEST)
        for topic, partition in itertools.product(topics, range(count))
    ]
    missing = len(partitions)
    deadline = time.monotonic() + PATIENCE
    try:
        reader.assign(partitions)
        while missing and (message := reader.poll(max(0.0, deadline - time.monotonic()))) is not None:
            if message.error() is None:
                yield message
            elif message.error().name() == "_PARTITION_EOF":
                missing -= 1
            elif message.error().fatal():
                raise KafkaException(message.error())
    finally:
        reader.close()
