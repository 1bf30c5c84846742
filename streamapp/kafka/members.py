"""The static members of a consumer group (KIP-345), as its coordinator describes them.

Read from faust-streaming 0.15.3 (`faust/assignor/client_assignment.py`): its members say where their web views are.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple, cast

from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from aiokafka.errors import for_code
from faust.assignor.client_assignment import ClientMetadata

from streamapp.kafka.insides import Response

__all__ = ["StaticMember", "members"]


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
