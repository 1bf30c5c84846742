"""Requests that aiokafka does not have go through its client as its own do."""

from __future__ import annotations

import io
from collections import deque
from typing import Any

import pytest
from aiokafka.protocol.admin import DescribeGroupsRequest_v3, DescribeGroupsResponse_v3
from aiokafka.protocol.api import RequestStruct
from aiokafka.protocol.commit import OffsetFetchRequest_v3
from aiokafka.protocol.types import Array, Schema, String

from streamapp.kafka import protocol
from streamapp.kafka.protocol import Api, describe_group, describe_topics, fetch_offsets

VERSIONS = {3: (0, 12), 9: (0, 8), 15: (0, 5), 28: (0, 3)}


def shape(there: Any) -> Any:
    """Return a schema without the names that its fields have."""
    if isinstance(there, Schema):
        return [shape(field) for field in there.fields]
    if isinstance(there, Array):
        return [shape(there.array_of)]
    return String if isinstance(there, String) else there


def test_fields_are_written_as_aiokafka_has_them() -> None:
    older = Api(
        15,
        3,
        "groups:str[] include_authorized_operations:bool",
        "throttle_time_ms:int32 groups(error_code:int16 group_id:str state:str protocol_type:str protocol:str "
        "members(member_id:str client_id:str client_host:str metadata:bytes assignment:bytes) "
        "authorized_operations:int32)",
        flexible=False,
    )
    assert shape(older.struct.SCHEMA) == shape(DescribeGroupsRequest_v3.SCHEMA)
    assert shape(older.struct.RESPONSE_TYPE.SCHEMA) == shape(DescribeGroupsResponse_v3.SCHEMA)


def test_what_is_nested_ends_where_its_bracket_does() -> None:
    older = Api(9, 3, "group:str topics(topic:str partitions:int32[])", "code:int16", flexible=False)
    assert shape(older.struct.SCHEMA) == shape(OffsetFetchRequest_v3.SCHEMA)


@pytest.mark.parametrize(
    "call", [describe_group("group"), fetch_offsets("group", [("clicks", 0)], stable=True), describe_topics(["clicks"])]
)
def test_a_call_is_made_into_a_struct_that_the_connection_can_send(call: protocol.Call) -> None:
    struct = call.prepare(VERSIONS)
    assert isinstance(struct, RequestStruct)
    header = struct.build_request_header(correlation_id=1, client_id="me")
    assert header.encode()
    assert struct.encode()
    assert struct.RESPONSE_TYPE.API_KEY == struct.API_KEY


@pytest.mark.parametrize("api", [protocol.TXN_OFFSET_COMMIT, protocol.METADATA, protocol.OFFSET_FETCH])
def test_what_is_flexible_ends_in_tags(api: Api) -> None:
    assert api.struct.SCHEMA.names[-1] == "tags"
    assert api.struct.FLEXIBLE_VERSION


def test_a_response_is_read_from_its_bytes() -> None:
    schema = protocol.DESCRIBE_GROUPS.struct.RESPONSE_TYPE.SCHEMA
    member = ("member", None, "client", "/127.0.0.1", b"meta", b"")
    told = [0, [(0, "group", "Stable", "consumer", "faust", [member], 7)]]
    answer = protocol.DESCRIBE_GROUPS.struct.RESPONSE_TYPE.decode(io.BytesIO(schema.encode(told)))
    assert deque(answer.groups).pop() == (0, "group", "Stable", "consumer", "faust", [member], 7)
