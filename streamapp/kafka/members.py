"""The members of a consumer group, static ones (KIP-345) above all, as its coordinator describes them.

Read from faust-streaming 0.15.3 (`faust/assignor/client_assignment.py`): its members say where their web views are.
"""

from __future__ import annotations

import ipaddress
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.errors import for_code
from faust.assignor.client_assignment import ClientMetadata

from streamapp.kafka.insides import Response

__all__ = ["Described", "Member", "StaticMember", "described", "members"]


class StaticMember(NamedTuple):
    """A member of a group with a static id."""

    member: str
    instance: str
    #: Address that the broker sees.
    host: str
    #: Of its web views; "" = not told, while the group rebalances.
    url: str

    @property
    def told(self) -> str:
        """Where it is, for people."""
        return f"the worker at {self.host}" + (f" ({self.url})" if self.url else "")


class Member(NamedTuple):
    """A member of a group, and what it is assigned: by topic, the numbers of partitions."""

    member: str
    #: Its static id, if it has one.
    instance: str | None
    #: Address that the broker sees.
    host: str
    #: Of its web views; "" = not told.
    url: str
    assigned: Mapping[str, Sequence[int]]
    #: Of what is assigned, the changelogs that it only follows.
    standbys: Mapping[str, Sequence[int]]

    @property
    def name(self) -> str:
        """By which people know it."""
        return self.instance or self.member


class Described(NamedTuple):
    """A group, as its coordinator describes it."""

    #: As Kafka names it: Stable, PreparingRebalance, CompletingRebalance, Empty or Dead.
    state: str
    members: Sequence[Member]


def described(response: Response) -> Described:
    """Return the group that a response describes; a KafkaError if it is none."""
    ((code, _, state, *_, found, _),) = response.groups
    if code:
        raise for_code(code)
    return Described(state, [_member(*one) for one in found])


def _member(member: str, instance: str | None, _client: str, host: str, metadata: bytes, assignment: bytes) -> Member:
    assigned: dict[str, Sequence[int]] = {}
    standbys: dict[str, Sequence[int]] = {}
    url = _url(metadata)
    if assignment:  # else the group rebalances
        given = ConsumerProtocolMemberAssignment.decode(assignment)
        assigned = {topic: sorted(numbers) for topic, numbers in given.assignment}
        try:
            told = cast(ClientMetadata, ClientMetadata.loads(zlib.decompress(given.user_data)))
            actives, url = told.assignment.actives, url or str(told.url)
            for topic, numbers in told.assignment.standbys.items():
                if followed := sorted(set(numbers) - set(actives.get(topic, ()))):
                    standbys[topic] = followed
        except Exception:  # another assignor's, which may have anything there, or nothing
            standbys = {}
    return Member(member, instance, _address(host.lstrip("/")), url, assigned, standbys)


def members(response: Response) -> list[StaticMember]:
    """Return the static members that a group's description has; a KafkaError if it is none."""
    ((code, *_, found, _),) = response.groups
    if code:
        raise for_code(code)
    return [
        StaticMember(member, instance, _address(host.lstrip("/")), _url(metadata))
        for member, instance, _, host, metadata, _ in found
        if instance is not None
    ]


def _address(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))  # Java writes 0:0:0:0:0:0:0:1
    except ValueError:
        return host


def _url(metadata: bytes) -> str:
    try:
        told = ClientMetadata.loads(ConsumerProtocolMemberMetadata.decode(metadata).user_data)
        return str(cast(ClientMetadata, told).url)
    except Exception:  # another client's, which may have anything there
        return ""
