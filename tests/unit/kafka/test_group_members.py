"""What a group's coordinator says of its members, as Faust's assignor has told it."""

from __future__ import annotations

import zlib
from types import SimpleNamespace

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.errors import GroupAuthorizationFailedError
from faust.assignor.client_assignment import ClientAssignment, ClientMetadata

from streamapp.kafka.members import Member, described


def response(*members: tuple[object, ...], code: int = 0, state: str = "Stable") -> SimpleNamespace:
    return SimpleNamespace(groups=[(code, "shop", state, "consumer", "faust", members, 0)])


def told(actives: dict[str, list[int]], standbys: dict[str, list[int]]) -> bytes:
    assignment = ClientAssignment(actives=actives, standbys=standbys)
    return ClientMetadata(assignment=assignment, url="http://w1:6066", changelog_distribution={}).dumps()


def test_a_member_has_what_it_reads_and_what_it_only_follows() -> None:
    user_data = told({"clicks": [0], "log": [0]}, {"log": [1]})
    metadata = ConsumerProtocolMemberMetadata(0, ["clicks"], user_data).encode()
    given = [("clicks", [0]), ("log", [0, 1])]
    assignment = ConsumerProtocolMemberAssignment(0, given, zlib.compress(user_data)).encode()
    group = described(response(("m-1", "w1", "client", "/127.0.0.1", metadata, assignment)))
    (member,) = group.members
    assert group.state == "Stable"
    assert member == Member("m-1", "w1", "127.0.0.1", "http://w1:6066", {"clicks": [0], "log": [0, 1]}, {"log": [1]})
    assert member.name == "w1"


def test_while_the_group_rebalances_members_have_nothing() -> None:
    group = described(response(("m-1", None, "client", "/::1", b"", b""), state="PreparingRebalance"))
    assert group.members == [Member("m-1", None, "::1", "", {}, {})]
    assert group.members[0].name == "m-1"


def test_of_members_of_other_assignors_no_views_are_known() -> None:
    assignment = ConsumerProtocolMemberAssignment(0, [("clicks", [1, 0])], b"").encode()
    group = described(response(("m-1", None, "client", "/10.0.0.7", b"?", assignment)))
    assert group.members == [Member("m-1", None, "10.0.0.7", "", {"clicks": [0, 1]}, {})]


def test_a_group_that_may_not_be_seen_is_an_error() -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        described(response(code=GroupAuthorizationFailedError.errno))
