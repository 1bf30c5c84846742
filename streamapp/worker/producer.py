"""The producer: Faust's own, which sends each record batch once, and those that send in transactions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping
from typing import Final, cast

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streamapp.kafka.pipelining import PipeliningProducer
from streamapp.kafka.transactions import CLOSE_WITHIN, close
from streamapp.worker.app import App

__all__ = ["Producer"]


#: The session timeouts after which the broker aborts a transaction, but no more seconds than it allows by default.
TRANSACTION_TIMEOUT_SESSIONS: Final = 3
TRANSACTION_TIMEOUT_MAX_S: Final = 900.0
#: Seconds that the broker has to say which topics there are.
METADATA_TIMEOUT_S: Final = 1.0


class Producer(driver.Producer):
    """Faust's aiokafka producer, idempotent: what aiokafka sends again after a lost answer is there once (KIP-98)."""

    app: App
    _producer_type = PipeliningProducer
    #: The transactional producers that were made, until they are closed; and what closes them.
    _transactional: list[PipeliningProducer]
    _closing: set[asyncio.Task[None]]

    def __post_init__(self) -> None:
        super().__post_init__()
        self._transactional, self._closing = [], set()

    def _settings_extra(self) -> Mapping[str, object]:
        return {**super()._settings_extra(), "enable_idempotence": True}

    @property
    def aiokafka(self) -> PipeliningProducer:
        """The aiokafka producer that Faust has started."""
        return cast(PipeliningProducer, self._ensure_producer())

    @property
    def client(self) -> AIOKafkaClient:
        """aiokafka's client."""
        return self.aiokafka.client

    def transactional(self, transactional_id: str) -> PipeliningProducer:
        """Make an aiokafka producer that sends in transactions; it is not started yet.

        The broker aborts a transaction that lasts so long that its commit, and the one before it, have failed.
        """
        timeout = min(TRANSACTION_TIMEOUT_SESSIONS * self.app.conf.broker_session_timeout, TRANSACTION_TIMEOUT_MAX_S)
        producer = self._producer_type(
            **{**self._settings_default(), **self._settings_auth(), **self._settings_extra()},
            transactional_id=transactional_id,
            transaction_timeout_ms=int(timeout * 1000),
        )
        self._transactional.append(producer)
        return producer

    async def close_transactional(self) -> None:
        """Abort what transactional producers have open, and stop them."""
        producers, self._transactional = self._transactional, []
        self._closing |= {asyncio.create_task(close(producer)) for producer in producers}
        if self._closing:
            done, _ = await asyncio.wait(self._closing)
            self._closing -= done

    async def renew(self) -> None:
        """Make a new aiokafka producer in place of one that has given up.

        After some errors, for instance when the broker has lost records and takes what comes next for out of order,
        aiokafka's refuses everything for good (`Sender._fail_all`, 0.14). So does one whose worker was put out of the
        group.
        """
        given_up = self.aiokafka
        if not (given_up.fenced or given_up._sender.sender_task.done()):
            return
        self.log.warning("The producer %s, and is made anew", "was fenced" if given_up.fenced else "has given up")
        producer = self._new_producer()
        await producer.start()  # first: if the broker is away, the next generation tries again
        self._producer = producer
        await given_up.stop()

    async def partition_count(self, topic: str) -> int:
        """Return the number of partitions of a topic; a KafkaError if the broker does not know the topic."""
        producer = self.aiokafka
        known = producer.client.cluster.partitions_for_topic(topic)
        return len(known or await producer.partitions_for(topic))

    async def missing(self, partitions: Collection[TP]) -> set[str]:
        """Return the topics of those of the partitions that are not there; none, if the broker does not answer."""
        client = self.aiokafka.client
        for topic in {tp.topic for tp in partitions}:
            client.add_topic(topic)
        try:
            async with asyncio.timeout(METADATA_TIMEOUT_S):
                # Twice: an update that is under way was asked for before these topics were added (aiokafka 0.14).
                await client.force_metadata_update()
                answered = await client.force_metadata_update()
        except (KafkaError, TimeoutError):
            return set()
        there = client.cluster.partitions_for_topic
        unknown = {tp.topic for tp in partitions if tp.partition not in (there(tp.topic) or ())}
        return unknown - client.cluster.unauthorized_topics if answered else set()

    async def flush(self) -> None:
        """Wait until the broker has what is under way; in a worker that stops, no longer than a sound one takes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN if self.app.should_stop else None):
                await super().flush()

    async def on_stop(self) -> None:
        """Stop the transactional producers, too."""
        await self.close_transactional()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN):
                await super().on_stop()
