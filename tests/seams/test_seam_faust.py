"""Faust does what `worker/` makes use of: who makes what, and in which order it calls what is replaced."""

from __future__ import annotations

import ast
import inspect
import textwrap
from types import SimpleNamespace
from typing import Any, cast

import faust
import pytest
from faust.agents.agent import Agent
from faust.app.base import App
from faust.assignor.client_assignment import ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor
from faust.tables.base import Collection
from faust.tables.manager import TableManager
from faust.tables.wrappers import WindowSet, WindowWrapper
from faust.transport.conductor import Conductor
from faust.transport.consumer import Consumer, Fetcher, ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver

from streamapp.kafka.insides import Response
from streamapp.kafka.members import members


def used(function: Any) -> list[str]:
    """Return the names of the attributes that a function uses, in the order of its source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(getattr(function, "fun", function))))
    names = [
        (node.end_lineno, node.end_col_offset, node.attr) for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    ]
    return [name for *_, name in sorted(names)]


@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        (Fetcher._fetcher, "_drain_messages"),
        (Conductor._subscriber, "subscribe"),
        (driver.AIOKafkaConsumerThread.on_start, "_create_consumer"),
        (driver.AIOKafkaConsumerThread._create_consumer, "_create_worker_consumer"),
        (driver.Producer.on_start, "_new_producer"),
        (driver.Producer._new_producer, "_producer_type"),
        (ThreadDelegateConsumer.__init__, "_new_consumer_thread"),
        (Consumer.on_partitions_revoked, "_on_partitions_revoked"),
        (Consumer.on_partitions_assigned, "_on_partitions_assigned"),
        (App._on_partitions_revoked, "_consumer_wait_empty"),
        (App._consumer_wait_empty, "wait_empty"),
        (App._on_partitions_assigned, "on_rebalance"),
        (TableManager.on_partitions_revoked, "recovery"),
        (Agent._prepare_actor, "_execute_actor"),
        (Collection._clean_data, "_del_old_keys"),
        (WindowSet.apply, "_apply_window_op"),
        (WindowWrapper.__setitem__, "_set_windowed"),
        (Collection._windowed_now, "_relative_now"),
    ],
    ids=lambda there: there if isinstance(there, str) else "",
)
def test_what_is_replaced_is_called(caller: Any, callee: str) -> None:
    assert callee in used(caller)


def test_partitions_are_given_back_once_the_flow_is_stopped_and_what_was_begun_is_done() -> None:
    names = used(App._on_partitions_revoked)
    assert names.index("stop_flow") < names.index("_consumer_wait_empty")


def test_where_a_member_is_stands_in_what_its_assignor_tells_the_group() -> None:
    app = faust.App("seams", broker="aiokafka://127.0.0.1:9", store="memory://")
    told = PartitionAssignor(app).metadata({"clicks"})
    metadata = ClientMetadata.loads(told.user_data)
    assert str(metadata.url) == str(app.conf.canonical_url)

    described = (0, "group", "Stable", "consumer", "faust", [("m", "i", "c", "/::1", told.encode(), b"")], 0)
    (member,) = members(cast(Response, SimpleNamespace(groups=[described])))
    assert (member.member, member.instance, member.host, member.url) == ("m", "i", "::1", str(metadata.url))


def test_an_assignment_of_another_address_can_be_read_changed_and_taken() -> None:
    app = faust.App("seams", broker="aiokafka://127.0.0.1:9", store="memory://")
    assignor = PartitionAssignor(app)
    metadata = ClientMetadata(
        url="http://a:1", assignment=assignor._assignment, changelog_distribution={}, external_topic_distribution={}
    )
    again = ClientMetadata.loads(assignor._decompress(assignor._compress(metadata.dumps())))
    assert str(again.derive(url="http://b:2").url) == "http://b:2"
