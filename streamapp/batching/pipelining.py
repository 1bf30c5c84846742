"""Produce requests under way side by side, as the Java client's and librdkafka's ``max.in.flight``."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerFenced

from streamapp.batching.lease import Lease
from streamapp.batching.produce_request import Handler

__all__ = ["PipeliningProducer"]

logger = logging.getLogger(__name__)

#: Requests that one broker may have at once: the Java client's default, of max.in.flight.requests.per.connection.
AT_ONCE: Final = 5
#: Seconds between two looks whether what is held may be sent.
HELD_S: Final = 0.02


class BusyBrokers:
    """The brokers that have as many produce requests as they may; put in place of aiokafka's set of those with one.

    aiokafka (0.14, `producer/sender.py`) adds a broker for each request, removes it with the answer, and asks which
    ones are to get no more. Its other set, of the partitions with a record batch under way, stays: what goes to a
    partition keeps its order whatever happens to the requests.
    """

    def __init__(self) -> None:
        self._requests: Counter[int] = Counter()

    def add(self, broker: int) -> None:
        """Count a request that is sent to this broker."""
        self._requests[broker] += 1

    def remove(self, broker: int) -> None:
        """Count a request that this broker has answered, or that was given up."""
        self._requests[broker] -= 1

    def __contains__(self, broker: int) -> bool:
        return self._requests[broker] >= AT_ONCE


class PipeliningProducer(AIOKafkaProducer):  # type: ignore[misc]
    """aiokafka's producer, with several requests for a broker under way at once, each of other partitions.

    aiokafka's own sends the next request once the one before is answered: what other partitions have ready waits for
    the slowest one's write and the way there and back.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._sender._in_flight = BusyBrokers()
        self._sender._send_produce_req = self._send_to
        self._ask = self.client._metadata_update
        self.client._metadata_update = self._update_metadata
        self._lease: Lease | None = None
        self._losses = 0

    def fence(self, lease: Lease) -> None:
        """Send only while the worker has its partitions, from now on; once it has lost them, nothing more."""
        self._lease, self._losses = lease, lease.losses

    @property
    def fenced(self) -> bool:
        """Whether nothing more is sent since the worker has lost its partitions."""
        return self._lease is not None and self._lease.losses != self._losses

    async def _update_metadata(self, cluster: Any, topics: Collection[str] | None) -> bool:
        """Ask where the topics are; if that is not known of all, what asks next waits as long as before any retry.

        aiokafka's sender (0.14) asks again at once, thousands of times a second, while a partition has no leader.
        """
        answered: bool = await self._ask(cluster, topics)
        if not (answered and all(_led(cluster, topic) for topic in topics or ())):
            await asyncio.sleep(self._sender._retry_backoff)
        return answered

    async def _send_to(self, node: int, batches: Mapping[Any, Any]) -> None:
        sender = self._sender
        if await self._may_send(node, batches):
            await Handler(sender, batches).do(node)
        else:
            for batch in batches.values():
                batch.failure(ProducerFenced())
        sender._in_flight.remove(node)
        sender._muted_partitions.difference_update(batches)

    async def _may_send(self, node: int, batches: Mapping[Any, Any]) -> bool:
        """Wait while another worker may have the partitions; return whether it has not got them."""
        lease, told = self._lease, False
        while lease is not None:
            await self.client.ready(node)  # first: what comes after it does not wait for a connection
            if self.fenced:
                return False
            if lease.holds:
                break
            if not told:
                told = True
                logger.warning(
                    "Nothing is sent to %s: the broker may have given the partitions of this worker to another one, "
                    "since it has not answered it for the session timeout",
                    ", ".join(sorted({tp.topic for tp in batches})),
                )
            await asyncio.sleep(HELD_S)
        return True


def _led(cluster: Any, topic: str) -> bool:
    """Tell whether all partitions of a topic are known to have leaders."""
    known = cluster.partitions_for_topic(topic)
    return bool(known) and known == cluster.available_partitions_for_topic(topic)
