"""Produce requests under way side by side, as the Java client's and librdkafka's ``max.in.flight``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from streamapp.kafka.produce_request import Handler

__all__ = ["PipeliningProducer"]

#: Requests that one broker may have at once: the Java client's default, of max.in.flight.requests.per.connection.
AT_ONCE: Final = 5


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

    async def _send_to(self, node: int, batches: Mapping[Any, Any]) -> None:
        sender = self._sender
        await Handler(sender, batches).do(node)
        sender._in_flight.remove(node)
        sender._muted_partitions.difference_update(batches)
