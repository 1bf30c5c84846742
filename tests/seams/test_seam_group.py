"""aiokafka's group coordinator does what the lease, the group and the consumer's thread make use of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError, UnknownMemberIdError
from aiokafka.protocol.group import HeartbeatRequest
from brokers import NODE, Client

from streamapp.kafka.lease import Lease


def run(test: Callable[[Client, GroupCoordinator], Awaitable[None]], code: int = 0) -> None:
    async def running() -> None:
        client = Client(lambda _: SimpleNamespace(error_code=code))
        subscriptions = SubscriptionState()
        subscriptions.register_fetch_waiters(set())
        coordinator = GroupCoordinator(client, subscriptions, assignors=(RoundRobinPartitionAssignor,))
        coordinator._coordination_task.cancel()
        await asyncio.gather(coordinator._coordination_task, return_exceptions=True)
        coordinator.coordinator_id, coordinator.member_id, coordinator.generation = NODE, "member", 4
        await test(client, coordinator)

    asyncio.run(running())


def test_a_heartbeat_is_sent_by_the_function_that_the_lease_follows() -> None:
    async def test(client: Client, coordinator: GroupCoordinator) -> None:
        now = [100.0]
        lease = Lease(lambda: now[0])
        lease.follow(coordinator)
        assert await coordinator._do_heartbeat()
        (heartbeat,) = client.sent
        assert isinstance(heartbeat, HeartbeatRequest)
        now[0] += coordinator._session_timeout_ms / 1000 - 0.1
        assert lease.holds
        now[0] += 0.2
        assert not lease.holds

    run(test)


def test_a_member_that_the_group_does_not_know_is_told_by_its_generation_being_reset() -> None:
    async def test(client: Client, coordinator: GroupCoordinator) -> None:
        lease = Lease()
        lease.follow(coordinator)
        await coordinator._do_heartbeat()
        assert lease.losses == 1
        assert coordinator.member_id == ""

    run(test, UnknownMemberIdError.errno)


def test_an_error_that_it_does_not_know_waits_until_it_is_asked_for() -> None:
    async def test(client: Client, coordinator: GroupCoordinator) -> None:
        coordinator._coordination_task = asyncio.get_running_loop().create_future()  # it goes on
        waiting = asyncio.ensure_future(coordinator._push_error_to_user(KafkaError("unknown")))
        coordinator.request_rejoin()
        with pytest.raises(KafkaError, match="unknown"):
            coordinator.check_errors()
        assert coordinator._pending_exception is None
        await waiting

    run(test)


def test_a_coordinator_that_is_dead_is_not_asked_but_looked_up_first() -> None:
    async def test(client: Client, coordinator: GroupCoordinator) -> None:
        coordinator.coordinator_dead()
        with pytest.raises(GroupCoordinatorNotAvailableError):
            await coordinator._send_req(HeartbeatRequest("group", 4, "member"))
        assert not client.sent
        await coordinator.ensure_coordinator_known()
        await coordinator._send_req(HeartbeatRequest("group", 4, "member"))
        assert len(client.sent) == 1

    run(test)
