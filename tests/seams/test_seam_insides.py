"""What `kafka/insides.py` declares of aiokafka is there, in objects as a consumer and a producer have them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import Fetcher, FetchError, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.producer.message_accumulator import BatchBuilder, MessageBatch
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from raw_batches import record_batch

from streamapp.kafka import insides
from streamapp.kafka.pipelining import BusyBrokers

TP = TopicPartition("clicks", 0)
#: Set here, or by what was fetched, and not by aiokafka's constructors.
OURS = {"data", "at", "check_raise"}


def declared(protocol: type) -> set[str]:
    methods = {name for name, there in vars(protocol).items() if callable(there) and not name.startswith("__")}
    return {*protocol.__annotations__, *methods} - {"_abc_impl", "_is_protocol"} - OURS


async def consuming() -> dict[type, Any]:
    """Make what a consumer has, of one partition, without a broker."""
    client, subscriptions = AIOKafkaClient(), SubscriptionState()
    subscriptions.subscribe({"clicks"})
    subscriptions.assign_from_subscribed([TP])
    subscriptions.seek(TP, 0)
    assignment = subscriptions.subscription.assignment
    data = record_batch([(b"key", b"value", 1_000, [])])
    records = PartitionRecords(TP, MemoryRecords(data), [], 0, None, None, True, 0)
    fetcher = Fetcher(client, subscriptions)
    coordinator = GroupCoordinator(client, subscriptions, assignors=(RoundRobinPartitionAssignor,))
    coordinator._coordination_task.cancel()
    await fetcher.close()
    return {
        insides.Client: client,
        insides.Metadata: client.cluster,
        insides.Subscriptions: subscriptions,
        insides.Subscription: subscriptions.subscription,
        insides.Assignment: assignment,
        insides.Position: assignment.state_value(TP),
        insides.Fetcher: fetcher,
        insides.Fetched: FetchResult(TP, assignment=assignment, partition_records=records, backoff=0),
        insides.PartitionRecords: records,
        insides.ReadBatches: records._records,
        insides.ReadBatch: MemoryRecords(data).next_batch(),
        insides.PlainBatch: _DefaultRecordBatchPy(data),
        insides.Coordinator: coordinator,
    }


async def producing() -> dict[type, Any]:
    """Make what a transactional producer has, without a broker."""
    producer = AIOKafkaProducer(transactional_id="id")
    return {
        insides.Sender: producer._sender,
        insides.Accumulator: producer._message_accumulator,
        insides.Transactions: producer._txn_manager,
        insides.Builder: BatchBuilder(1_000, 0),
        insides.ProducedBatch: MessageBatch(TP, BatchBuilder(1_000, 0), 1, 0),
        insides.BusyBrokers: BusyBrokers(),
    }


@pytest.mark.parametrize("make", [consuming, producing])
def test_what_is_declared_of_it_is_there(make: Any) -> None:
    async def missing() -> set[str]:
        return {
            f"{type(there).__module__}.{type(there).__name__}.{name}"
            for protocol, there in (await make()).items()
            for name in declared(protocol)
            if not hasattr(there, name)
        }

    assert asyncio.run(missing()) == set()


def test_all_that_is_declared_is_looked_at() -> None:
    async def looked_at() -> set[type]:
        return {*(await consuming()), *(await producing())}

    protocols = {there for there in vars(insides).values() if getattr(there, "_is_protocol", False)}
    of_the_wire = {insides.Request, insides.Response}
    protocols = {there for there in protocols if there.__module__ == insides.__name__}
    assert protocols - asyncio.run(looked_at()) == of_the_wire


def test_only_a_fetch_that_failed_raises() -> None:
    assert hasattr(FetchError, "check_raise")
    assert not hasattr(FetchResult, "check_raise")
