"""What the broker says of topics: their ids, and the leaders of their partitions.

A topic has an id since Kafka 2.8 (KIP-516): one that is deleted and made anew under its name has another. aiokafka 0.14
knows versions of the metadata request only that are older. Fields as in Kafka 4.3, `clients/src/main/resources/common/
message/Metadata{Request,Response}.json`.
"""

from __future__ import annotations

import asyncio
import base64
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from io import BytesIO
from typing import Any, Final, NamedTuple

from aiokafka.client import ConnectionGroup
from aiokafka.errors import IncompatibleBrokerVersion, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.admin import DescribeConfigsRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)
from faust.types import TP

from streamapp.kafka.protocol import Call, make_request

__all__ = ["Described", "LogRange", "delete_retention_ms", "describe", "log_ranges"]

#: What asks for the first offset, and for the end, in place of a time.
EARLIEST, LATEST = -2, -1
#: The kind of a thing whose configuration is asked for, what is wanted of it, and what it is if nobody changed it.
TOPIC: Final = 2
DELETE_RETENTION: Final = "delete.retention.ms"
DEFAULT_RETENTION_MS: Final = 24 * 3_600_000
#: Bytes of an id; all zero = none.
ID_BYTES: Final = 16
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


async def describe(client: Any, topics: Collection[str]) -> dict[str, Described]:
    """Ask for topics; those that do not exist are left out, and not made.

    Args:
        client: an aiokafka client.
        topics: full names.

    Raises:
        KafkaError: if the broker does not answer, or does not allow it.
    """
    node = client.get_random_node()
    named: list[tuple[Any, ...]] = [(bytes(ID_BYTES), topic, {}) for topic in topics]
    try:
        call = Call(METADATA, named, False, False, False, {})
        response = await client.send(node, call, group=ConnectionGroup.COORDINATION)
        found = [(code, name, id_, partitions) for code, name, id_, _, partitions, *_ in response.topics]
    except IncompatibleBrokerVersion:
        old = MetadataRequest(list(topics), allow_auto_topic_creation=False)
        response = await client.send(node, old, group=ConnectionGroup.COORDINATION)
        found = [(code, name, bytes(ID_BYTES), partitions) for code, name, *_, partitions in response.topics]
    described = {}
    for code, name, id_, partitions in found:
        if code == UnknownTopicOrPartitionError.errno:
            continue
        if code not in THERE:
            raise for_code(code)(name)
        leaders = {number: leader for _, number, leader, *_ in partitions if leader >= 0}
        described[name] = Described(_shown(id_), leaders, len(partitions))
    return described


async def log_ranges(
    client: Any, topics: Mapping[str, Described], partitions: Iterable[TP], isolation_level: int = 0
) -> dict[TP, LogRange]:
    """Ask for the first offsets and the ends of partitions; those that are not to be had now are left out.

    Args:
        client: an aiokafka client.
        topics: as the broker has just described them.
        partitions: of these topics.
        isolation_level: 0 = the end is that of open transactions, too.

    Raises:
        KafkaError: if a broker does not answer.
    """
    by_leader: dict[int, list[TP]] = defaultdict(list)
    for tp in partitions:
        leader = topics[tp.topic].leaders.get(tp.partition) if tp.topic in topics else None
        if leader is not None:
            by_leader[leader].append(tp)
    asked = [
        _offsets(client, leader, tps, which, isolation_level)
        for leader, tps in by_leader.items()
        for which in (EARLIEST, LATEST)
    ]
    answers = await asyncio.gather(*asked)
    begins = {tp: offset for answer in answers[::2] for tp, offset in answer.items()}
    ends = {tp: offset for answer in answers[1::2] for tp, offset in answer.items()}
    return {tp: LogRange(begins[tp], ends[tp]) for tp in begins.keys() & ends.keys()}


async def _offsets(client: Any, leader: int, tps: list[TP], which: int, isolation_level: int) -> dict[TP, int]:
    topics: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for topic, number in tps:
        topics[topic].append((number, which))
    request = OffsetRequest(-1, isolation_level, list(topics.items()))
    response = await client.send(leader, request, group=ConnectionGroup.COORDINATION)
    return {
        TP(topic, number): offset
        for topic, answers in response.topics
        for number, error, _, offset in answers
        if not error
    }


async def delete_retention_ms(client: Any, topic: str) -> int:
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


def _shown(topic_id: bytes) -> str | None:
    return base64.urlsafe_b64encode(topic_id).decode().rstrip("=") if any(topic_id) else None


class Uuid(AbstractType[bytes]):  # type: ignore[misc]
    """A topic's id in a request or an answer."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        """Write it."""
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        """Read it."""
        return data.read(ID_BYTES)


TAGS: Final = ("tags", TaggedFields)
TEXT: Final = CompactString("utf-8")

METADATA: Final = make_request(
    3,
    10,
    flexible=True,
    fields=Schema(
        ("topics", CompactArray(("topic_id", Uuid), ("name", TEXT), TAGS)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        TAGS,
    ),
    answer=Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(("node_id", Int32), ("host", TEXT), ("port", Int32), ("rack", TEXT), TAGS)),
        ("cluster_id", TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", TEXT),
                ("topic_id", Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        TAGS,
                    ),
                ),
                ("authorized_operations", Int32),
                TAGS,
            ),
        ),
        ("cluster_authorized_operations", Int32),
        TAGS,
    ),
)
