"""A broker for the insides of aiokafka: a client that answers what it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.structs import TopicPartition

CLICKS, USERS = TopicPartition("clicks", 0), TopicPartition("users", 0)
NODE = 7


class Client:
    """An aiokafka client of one broker."""

    _metadata_max_age_ms = 300_000

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self._loop = asyncio.get_running_loop()
        self._answer = answer
        self.sent: list[Any] = []
        self.cluster = ClusterMetadata()
        self.cluster.leader_for_partition = lambda _: NODE

    async def send(self, node: int, request: Any, *, group: int = 0) -> Any:
        self.sent.append(request)
        answer = self._answer(request)
        return await answer if isinstance(answer, Awaitable) else answer

    async def ready(self, node: int, *, group: int = 0) -> bool:
        return True

    async def coordinator_lookup(self, kind: object, key: str) -> int:
        return NODE

    def get_random_node(self) -> int:
        return NODE

    def force_metadata_update(self) -> asyncio.Future[bool]:
        return self._loop.create_future()

    def set_topics(self, topics: object) -> None:
        """There are no others."""


def reading(partitions: Sequence[TopicPartition]) -> SubscriptionState:
    """Have partitions been assigned, and read from offset 0 on."""
    subscriptions = SubscriptionState()
    subscriptions.assign_from_user(partitions)
    for tp in partitions:
        subscriptions.seek(tp, 0)
    return subscriptions


async def idle_fetcher(client: Client, subscriptions: SubscriptionState) -> Fetcher:
    """Return a fetcher that does nothing by itself."""
    fetcher = Fetcher(client, subscriptions)
    fetcher._fetch_task.cancel()
    await asyncio.gather(fetcher._fetch_task, return_exceptions=True)
    return fetcher
