"""Requests of which aiokafka 0.14 knows older versions only.

In these versions the broker looks whether a worker that commits offsets in a transaction is in the group (KIP-447,
Kafka 2.5), and tells of offsets that a transaction has which has not ended, of static members, and of topics' ids
(KIP-516, Kafka 2.8). Fields as in Kafka 4.3, `clients/src/main/resources/common/message/*.json`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from io import BytesIO
from typing import Final, NamedTuple

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol import types
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import RequestStruct, Response
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from streamapp.kafka.insides import Fields, Transactions

__all__ = ["NO_ID", "Call", "Membership", "describe_group", "describe_topics", "fetch_offsets", "txn_offset_commit"]

#: The id of a topic that has none.
NO_ID: Final = bytes(16)
#: The epoch of a partition's leader, where it is not known.
NO_EPOCH: Final = -1


class Membership(NamedTuple):
    """As what a worker is in its consumer group."""

    group: str
    generation: int
    member: str
    #: The id of a static member (KIP-345).
    instance: str | None


class Uuid(AbstractType[bytes]):  # type: ignore[misc]
    """A topic's id in a request or a response."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        """Write it."""
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        """Read it."""
        return data.read(len(NO_ID))


class Api:
    """A request in one version, and its response.

    Args:
        key: the API key.
        version: the version.
        request: its fields: ``name:type``, ``name:type[]`` of several, and ``name(…)`` of several with fields.
        response: the same of the response.
        flexible: whether it is of those with compact types and tags (KIP-482).
    """

    def __init__(self, key: int, version: int, request: str, response: str, *, flexible: bool = True) -> None:
        common = {"API_KEY": key, "API_VERSION": version}
        answer = type("Response", (Response,), {**common, "SCHEMA": _schema(response, flexible)})
        schema = {"FLEXIBLE_VERSION": flexible, "SCHEMA": _schema(request, flexible), "RESPONSE_TYPE": answer}
        self.key, self.version = key, version
        self.struct: RequestStruct = type("Request", (RequestStruct,), {**common, **schema})


class Call:
    """A request in its version; aiokafka's client sends it, as it does its own `Request`."""

    def __init__(self, api: Api, *fields: object) -> None:
        self._api, self._fields = api, fields

    def prepare(self, versions: Mapping[int, tuple[int, int]]) -> RequestStruct:
        """Return the request for a broker.

        Args:
            versions: the first and the last version that it has of each request.

        Raises:
            IncompatibleBrokerVersion: if it has not that of this one.
        """
        first, last = versions.get(self._api.key, (0, -1))
        if not first <= self._api.version <= last:
            raise IncompatibleBrokerVersion("STREAMAPP_PROCESSING_GUARANTEE=exactly_once needs Kafka 2.5 or newer")
        return self._api.struct(*self._fields)


def txn_offset_commit(
    transactions: Transactions, membership: Membership, offsets: Mapping[TP, OffsetAndMetadata]
) -> Call:
    """Commit offsets in the transaction of an aiokafka producer, if the member is in the group."""
    topics: dict[str, list[Fields]] = defaultdict(list)
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


def fetch_offsets(group: str, partitions: Iterable[tuple[str, int]], *, stable: bool) -> Call:
    """Ask for the committed offsets of partitions; if `stable`, it is an error that they may be about to change."""
    topics: dict[str, list[int]] = defaultdict(list)
    for topic, partition in partitions:
        topics[topic].append(partition)
    return Call(OFFSET_FETCH, group, [(topic, numbers, {}) for topic, numbers in topics.items()], stable, {})


def describe_group(group: str) -> Call:
    """Ask for the members of a group."""
    return Call(DESCRIBE_GROUPS, [group], False)


def describe_topics(topics: Collection[str]) -> Call:
    """Ask for topics, without making those that are not there."""
    return Call(METADATA, [(NO_ID, topic, {}) for topic in topics], False, False, False, {})


KINDS: Final = {
    "bool": types.Boolean,
    "bytes": types.Bytes,
    "int16": types.Int16,
    "int32": types.Int32,
    "int64": types.Int64,
    "str": types.String("utf-8"),
    "uuid": Uuid,
}
COMPACT_KINDS: Final = {**KINDS, "str": types.CompactString("utf-8")}
TOKENS: Final = re.compile(r"(?P<name>\w+)(?::(?P<kind>\w+)(?P<several>\[\])?|\()|\)")


def _schema(text: str, flexible: bool) -> types.Schema:
    return types.Schema(*_fields(TOKENS.finditer(text), flexible))


def _fields(tokens: Iterator[re.Match[str]], flexible: bool) -> list[tuple[str, object]]:
    array, kinds = (types.CompactArray, COMPACT_KINDS) if flexible else (types.Array, KINDS)
    fields: list[tuple[str, object]] = []
    for token in tokens:
        name, kind, several = token["name"], token["kind"], token["several"]
        if name is None:  # the end of what is nested
            break
        if kind is None:
            fields.append((name, array(*_fields(tokens, flexible))))
        else:
            fields.append((name, array(kinds[kind]) if several else kinds[kind]))
    return [*fields, ("tags", types.TaggedFields)] if flexible else fields


TXN_OFFSET_COMMIT: Final = Api(
    28,
    3,
    "transactional_id:str group_id:str producer_id:int64 producer_epoch:int16 generation_id:int32 member_id:str "
    "group_instance_id:str topics(topic:str "
    "partitions(partition:int32 offset:int64 leader_epoch:int32 metadata:str))",
    "throttle_time_ms:int32 topics(topic:str partitions(partition:int32 error_code:int16))",
)
OFFSET_FETCH: Final = Api(
    9,
    7,
    "group_id:str topics(topic:str partitions:int32[]) require_stable:bool",
    "throttle_time_ms:int32 topics(topic:str "
    "partitions(partition:int32 offset:int64 leader_epoch:int32 metadata:str error_code:int16)) error_code:int16",
)
DESCRIBE_GROUPS: Final = Api(
    15,
    4,
    "groups:str[] include_authorized_operations:bool",
    "throttle_time_ms:int32 groups(error_code:int16 group_id:str state:str protocol_type:str protocol:str "
    "members(member_id:str group_instance_id:str client_id:str client_host:str metadata:bytes assignment:bytes) "
    "authorized_operations:int32)",
    flexible=False,
)
METADATA: Final = Api(
    3,
    10,
    "topics(topic_id:uuid name:str) allow_auto_topic_creation:bool include_cluster_authorized_operations:bool "
    "include_topic_authorized_operations:bool",
    "throttle_time_ms:int32 brokers(node_id:int32 host:str port:int32 rack:str) cluster_id:str controller_id:int32 "
    "topics(error_code:int16 name:str topic_id:uuid is_internal:bool partitions(error_code:int16 partition:int32 "
    "leader:int32 leader_epoch:int32 replicas:int32[] isr:int32[] offline_replicas:int32[]) "
    "authorized_operations:int32) cluster_authorized_operations:int32",
)
