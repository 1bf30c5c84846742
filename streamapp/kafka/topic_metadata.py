"""What the broker says of topics: their ids, the leaders of their partitions, and how far these go.

A topic has an id since Kafka 2.8 (KIP-516): one that is deleted and made anew under its name has another.
"""

from __future__ import annotations

import asyncio
import base64
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from aiokafka.client import ConnectionGroup
from aiokafka.consumer.fetcher import READ_UNCOMMITTED
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    LeaderNotAvailableError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.admin import DescribeConfigsRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.offset import OffsetRequest
from faust.types import TP

from streamapp.kafka.insides import Client
from streamapp.kafka.protocol import NO_ID, describe_topics

__all__ = [
    "EARLIEST",
    "LATEST",
    "Described",
    "LogRange",
    "delete_retention_ms",
    "describe",
    "end_offsets",
    "log_ranges",
]

#: What asks for the first offset, and for the end, in place of a time.
EARLIEST, LATEST = -2, -1
#: The kind of a thing whose configuration is asked for, what is wanted of it, and what it is if nobody changed it.
TOPIC: Final = 2
DELETE_RETENTION: Final = "delete.retention.ms"
DEFAULT_RETENTION_MS: Final = 24 * 3_600_000
#: Error codes of a topic that is there: none, and that one of its partitions has no leader now (LEADER_NOT_AVAILABLE).
THERE: Final = frozenset({0, 5})


class Described(NamedTuple):
    """A topic as the broker has it."""

    #: As Kafka's own tools show it; None = the broker is older than 2.8.
    id: str | None
    #: The node that leads each partition, of those that have one.
    leaders: Mapping[int, int]
    #: How many partitions it has, led or not.
    partitions: int


class LogRange(NamedTuple):
    """What a partition has."""

    #: Offset of the first record.
    begin: int
    #: Offset that the next record will have.
    end: int


async def describe(client: Client, topics: Collection[str]) -> dict[str, Described]:
    """Ask for topics; those that do not exist are left out, and not made.

    Raises:
        KafkaError: if the broker does not answer, or does not allow it.
    """
    node = client.get_random_node()
    try:
        response = await client.send(node, describe_topics(topics), group=ConnectionGroup.COORDINATION)
        found = [(code, name, id_, partitions) for code, name, id_, _, partitions, *_ in response.topics]
    except IncompatibleBrokerVersion:
        old = MetadataRequest(list(topics), allow_auto_topic_creation=False)
        response = await client.send(node, old, group=ConnectionGroup.COORDINATION)
        found = [(code, name, NO_ID, partitions) for code, name, *_, partitions in response.topics]
    described = {}
    for code, name, id_, partitions in found:
        if code == UnknownTopicOrPartitionError.errno:
            continue
        if code not in THERE:
            raise for_code(code)(name)
        leaders = {number: leader for _, number, leader, *_ in partitions if leader >= 0}
        shown = base64.urlsafe_b64encode(id_).decode().rstrip("=") if id_ != NO_ID else None
        described[name] = Described(shown, leaders, len(partitions))
    return described


async def log_ranges(client: Client, topics: Mapping[str, Described], partitions: Iterable[TP]) -> dict[TP, LogRange]:
    """Ask for the first offsets and the ends of partitions; those that are not to be had now are left out.

    Topics are as the broker has just described them; the end is that of open transactions.

    Raises:
        KafkaError: if a broker does not answer.
    """
    told = {tp: topics[tp.topic].leaders.get(tp.partition) for tp in partitions if tp.topic in topics}
    leaders = {tp: leader for tp, leader in told.items() if leader is not None}
    begins, ends = [
        {tp: offset for tp, error, offset in await _offsets(client, leaders, which, READ_UNCOMMITTED) if not error}
        for which in (EARLIEST, LATEST)
    ]
    return {tp: LogRange(begins[tp], ends[tp]) for tp in begins.keys() & ends.keys()}


async def end_offsets(
    client: Client, partitions: Iterable[TP], isolation_level: int, which: int = LATEST
) -> dict[TP, int]:
    """Ask for the end offsets of partitions, or the first ones, over other connections than those of the fetches.

    The broker answers the requests of a connection one after the other: `AIOKafkaConsumer.end_offsets` would wait for
    the fetch under way, and that for records.

    Raises:
        KafkaError: if they are not to be had now.
    """
    await client._maybe_wait_metadata()
    leaders: dict[TP, int] = {}
    for tp in partitions:
        leader = client.cluster.leader_for_partition(tp)
        if leader is None or leader == -1:
            raise LeaderNotAvailableError(f"{tp.topic}[{tp.partition}] has no leader")
        leaders[tp] = leader
    ends = {}
    for tp, error, offset in await _offsets(client, leaders, which, isolation_level):
        if error:
            raise for_code(error)(f"{tp.topic}[{tp.partition}]")
        ends[tp] = offset
    return ends


async def _offsets(
    client: Client, leaders: Mapping[TP, int], which: int, isolation_level: int
) -> Iterator[tuple[TP, int, int]]:
    """Return of each partition the error code and the offset with which its leader answers."""
    by_leader: dict[int, dict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    for tp, leader in leaders.items():
        by_leader[leader][tp.topic].append((tp.partition, which))
    requests = {leader: OffsetRequest(-1, isolation_level, [*topics.items()]) for leader, topics in by_leader.items()}
    asked = [client.send(leader, one, group=ConnectionGroup.COORDINATION) for leader, one in requests.items()]
    return (
        (TP(topic, number), error, offset)
        for response in await asyncio.gather(*asked)
        for topic, answers in response.topics
        for number, error, _, offset in answers
    )


async def delete_retention_ms(client: Client, topic: str) -> int:
    """Ask for how long tombstones stay in a topic that is compacted; if it is not told, return Kafka's default.

    Raises:
        KafkaError: if the broker does not answer.
    """
    request = DescribeConfigsRequest([(TOPIC, topic, [DELETE_RETENTION])])
    try:
        response = await client.send(client.get_random_node(), request, group=ConnectionGroup.COORDINATION)
    except IncompatibleBrokerVersion:
        return DEFAULT_RETENTION_MS
    for error, _, _, _, entries in response.resources:
        for name, value, *_ in entries if not error else ():
            if name == DELETE_RETENTION:
                return int(value)
    return DEFAULT_RETENTION_MS
