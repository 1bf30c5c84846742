"""Where keys lie: whether the topics of a join were written by the same partitioner, as far as a sample tells.

Java's clients and aiokafka use murmur2, librdkafka by default CRC-32: two producers that are not set alike put one key
into different partitions, and nothing of a join is found. No broker and no client tells of that.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from streamapp.kafka.log_reader import Log
from streamapp.kafka.partition import TP
from streamapp.kafka.partitioner import partition_of
from streamapp.settings import Settings

__all__ = ["NEWEST", "PARTITIONERS", "SAMPLE_S", "Sample", "misplaced", "partitions_of", "placed_by", "sample"]

#: Records of each partition that are looked at.
NEWEST: Final = 50
#: Seconds that this may take; then what was read by then has to do.
SAMPLE_S: Final = 5.0

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
    """Read the keys of the newest records of each partition of topics, each of which has `count`.

    Raises:
        LogError: if the broker does not allow it.
    """
    found: dict[str, list[tuple[bytes, int]]] = {topic: [] for topic in topics}
    with Log(settings, SAMPLE_S) as log:
        for message in log.newest([TP(topic, number) for topic in found for number in range(count)], NEWEST):
            topic, key, partition = message.topic(), message.key(), message.partition()
            if topic is not None and key is not None and partition is not None:
                found[topic].append((key, partition))
    return dict(found)
