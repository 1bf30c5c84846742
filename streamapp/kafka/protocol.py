"""Requests to the broker of which aiokafka 0.14 knows older versions only, for transactions as in KIP-447.

In these versions the broker looks whether a worker that commits offsets in a transaction is in the group (Kafka 2.5),
and tells of offsets that a transaction has which has not ended. Fields as in Kafka 4.3, `clients/src/main/resources/
common/message/{TxnOffsetCommit,OffsetFetch,DescribeGroups}{Request,Response}.json`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import RequestStruct, Response
from aiokafka.protocol.types import (
    Array,
    Boolean,
    Bytes,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    String,
    TaggedFields,
)
from aiokafka.structs import OffsetAndMetadata, TopicPartition

__all__ = ["Call", "Membership", "describe_group", "fetch_offsets", "make_request", "txn_offset_commit"]


class Membership(NamedTuple):
    """As what a worker is in its consumer group."""

    group: str
    generation: int
    member: str
    #: The id of a static member (KIP-345).
    instance: str | None


class Call:
    """A request in the one version of it that is of use here; aiokafka's client sends it.

    Args:
        struct: an aiokafka `RequestStruct`.
        fields: what is in it.
    """

    def __init__(self, struct: Any, *fields: Any) -> None:
        self._struct = struct
        self._fields = fields

    def prepare(self, versions: Mapping[int, tuple[int, int]]) -> Any:
        """Give the request for a broker.

        Args:
            versions: the first and the last version that it has of each request.

        Raises:
            IncompatibleBrokerVersion: if it has not that of this one.
        """
        first, last = versions.get(self._struct.API_KEY, (0, -1))
        if not first <= self._struct.API_VERSION <= last:
            raise IncompatibleBrokerVersion("STREAMAPP_PROCESSING_GUARANTEE=exactly_once needs Kafka 2.5 or newer")
        return self._struct(*self._fields)


def txn_offset_commit(
    transactions: Any, membership: Membership, offsets: Mapping[TopicPartition, OffsetAndMetadata]
) -> Call:
    """Commit offsets in the transaction of an aiokafka producer, if the member is in the group."""
    topics: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for tp, (offset, metadata) in offsets.items():
        topics[tp.topic].append((tp.partition, offset, NO_EPOCH, metadata, {}))
    return Call(
        TXN_OFFSET_COMMIT,
        transactions.transactional_id,
        membership.group,
        transactions.producer_id,
        transactions.producer_epoch,
        membership.generation,
        membership.member,
        membership.instance,
        [(topic, partitions, {}) for topic, partitions in topics.items()],
        {},
    )


def fetch_offsets(group: str, partitions: Iterable[TopicPartition], *, stable: bool) -> Call:
    """Ask for the committed offsets of partitions; if `stable`, it is an error that they may be about to change."""
    topics: dict[str, list[int]] = defaultdict(list)
    for tp in partitions:
        topics[tp.topic].append(tp.partition)
    return Call(FETCH_OFFSETS, group, [(topic, numbers, {}) for topic, numbers in topics.items()], stable, {})


def describe_group(group: str) -> Call:
    """Ask for the members of a group."""
    return Call(DESCRIBE_GROUPS, [group], False)


def make_request(key: int, version: int, *, flexible: bool, fields: Schema, answer: Schema) -> Any:
    """Make the struct of a request in one version, for `Call`."""
    common = {"API_KEY": key, "API_VERSION": version}
    response = type("Response", (Response,), {**common, "SCHEMA": answer})
    return type(
        "Request",
        (RequestStruct,),
        {**common, "FLEXIBLE_VERSION": flexible, "SCHEMA": fields, "RESPONSE_TYPE": response},
    )


#: The epoch of a partition's leader, where it is not known.
NO_EPOCH: Final = -1
TAGS: Final = ("tags", TaggedFields)
TEXT, OLD_TEXT = CompactString("utf-8"), String("utf-8")

TXN_OFFSET_COMMIT: Final = make_request(
    28,
    3,
    flexible=True,
    fields=Schema(
        ("transactional_id", TEXT),
        ("group_id", TEXT),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("generation_id", Int32),
        ("member_id", TEXT),
        ("group_instance_id", TEXT),
        (
            "topics",
            CompactArray(
                ("topic", TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32), ("offset", Int64), ("leader_epoch", Int32), ("metadata", TEXT), TAGS
                    ),
                ),
                TAGS,
            ),
        ),
        TAGS,
    ),
    answer=Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("topic", TEXT), ("partitions", CompactArray(("partition", Int32), ("error_code", Int16), TAGS)), TAGS
            ),
        ),
        TAGS,
    ),
)

FETCH_OFFSETS: Final = make_request(
    9,
    7,
    flexible=True,
    fields=Schema(
        ("group_id", TEXT),
        ("topics", CompactArray(("topic", TEXT), ("partitions", CompactArray(Int32)), TAGS)),
        ("require_stable", Boolean),
        TAGS,
    ),
    answer=Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("topic", TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", TEXT),
                        ("error_code", Int16),
                        TAGS,
                    ),
                ),
                TAGS,
            ),
        ),
        ("error_code", Int16),
        TAGS,
    ),
)

DESCRIBE_GROUPS: Final = make_request(
    15,
    4,
    flexible=False,
    fields=Schema(("groups", Array(OLD_TEXT)), ("include_authorized_operations", Boolean)),
    answer=Schema(
        ("throttle_time_ms", Int32),
        (
            "groups",
            Array(
                ("error_code", Int16),
                ("group_id", OLD_TEXT),
                ("state", OLD_TEXT),
                ("protocol_type", OLD_TEXT),
                ("protocol", OLD_TEXT),
                (
                    "members",
                    Array(
                        ("member_id", OLD_TEXT),
                        ("group_instance_id", OLD_TEXT),
                        ("client_id", OLD_TEXT),
                        ("client_host", OLD_TEXT),
                        ("metadata", Bytes),
                        ("assignment", Bytes),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
    ),
)
