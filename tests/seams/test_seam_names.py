"""Private names of others that `kafka/` and `worker/` use are known, and there."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.protocol.produce import ProduceRequest
from confluent_kafka import KafkaError
from faust.app.base import App
from faust.stores.base import Store
from faust.tables.base import Collection
from faust.tables.manager import TableManager
from test_seam_insides import declared

import streamapp
from streamapp.kafka import insides

PACKAGE = Path(streamapp.__file__).parent
#: By constructor, what it sets and `kafka/insides.py` does not declare.
SET: dict[Callable[..., Any], set[str]] = {
    AIOKafkaClient.__init__: {"_conns"},
    AIOKafkaConnection.__init__: {"_writer"},
    AIOKafkaConsumer.__init__: {"_client", "_coordinator", "_fetcher", "_group_id", "_subscription"},
    AIOKafkaProducer.__init__: {"_sender"},
    GroupCoordinator.__init__: {"_closing", "_coordination_task", "_pending_exception"},
    ProduceRequest.__init__: {"_required_acks", "_timeout", "_topics", "_transactional_id"},
    TableManager.__init__: {"_changelogs"},
}
#: The same of what a class has.
DEFINED: dict[type, set[str]] = {
    App: {"_consumer", "_fetcher"},
    Collection: {"_serializer_from_type"},
    KafkaError: {"_WAIT_COORD"},
    ProduceRequest: {"_CLASSES"},
    Store: {"_decode_key", "_decode_value", "_encode_key"},
}


def used(room: str) -> set[str]:
    """Return the private names that modules of a room use of something else than `self`."""
    attributes = [
        node
        for file in (PACKAGE / room).glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")
    ]
    return {one.attr for one in attributes if not isinstance(one.value, ast.Call) and ast.unparse(one.value) != "self"}


@pytest.mark.parametrize("room", ["kafka", "worker"])
def test_every_private_name_that_is_used_is_known(room: str) -> None:
    protocols = [there for there in vars(insides).values() if getattr(there, "_is_protocol", False)]
    known = {name for protocol in protocols for name in declared(protocol)}
    assert used(room) - known.union(*SET.values(), *DEFINED.values()) == set()


@pytest.mark.parametrize("constructor", SET, ids=lambda constructor: constructor.__qualname__)
def test_a_constructor_sets_what_is_used(constructor: Callable[..., Any]) -> None:
    assert SET[constructor] <= set(constructor.__code__.co_names)


@pytest.mark.parametrize("owner", DEFINED, ids=lambda owner: owner.__name__)
def test_a_class_has_what_is_used(owner: type) -> None:
    assert [name for name in DEFINED[owner] if not hasattr(owner, name)] == []
