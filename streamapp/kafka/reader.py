"""The reader: fetches the records of this worker's partitions, in the agents' loop.

aiokafka's consumer that is in the group lives in a thread (`ConsumerThread`), so that heartbeats go on while an agent
works. What it fetched would have to cross from there, and each thread would wait for the other to let go of the
interpreter: with small batches that took longer than the join. So that one fetches nothing, and this one, which is in
no group, is told from where to read what.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

import faust
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import FetchError
from aiokafka.structs import TopicPartition
from faust.types import TP
from mode import Service

from streamapp.kafka.clients import aiokafka
from streamapp.kafka.fetching import Fetching
from streamapp.kafka.insides import Client, Fetcher
from streamapp.kafka.record import Record
from streamapp.kafka.record_reader import take
from streamapp.kafka.topic_metadata import EARLIEST, end_offsets
from streamapp.settings import Settings

__all__ = ["Reader"]


class App(Protocol):
    """The app, for what it reads."""

    settings: Settings

    @property
    def conf(self) -> faust.Settings:
        """Faust's settings."""


class Reader(Service):
    """Fetches partitions."""

    #: None until it is started.
    consumer: AIOKafkaConsumer = None

    def __init__(self, app: App, **kwargs: Any) -> None:
        self._app = app
        super().__init__(**kwargs)

    async def on_start(self) -> None:
        """Connect to the broker; a KafkaError if it is not there."""
        settings, conf = self._app.settings, self._app.conf
        self.consumer = AIOKafkaConsumer(
            **aiokafka(settings),
            client_id=conf.broker_client_id,
            enable_auto_commit=False,
            auto_offset_reset="none",  # it would skip records without a word (`streamapp.runtime.positions`)
            isolation_level=settings.isolation_level,
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_min_bytes=settings.fetch_min_bytes,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            check_crcs=conf.broker_check_crcs,
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            connections_max_idle_ms=conf.consumer_connections_max_idle_ms,
        )
        await self.consumer.start()
        self._fetcher: Fetcher = self.consumer._fetcher
        self.fetching = Fetching(self._fetcher)

    async def on_stop(self) -> None:
        """Fetch nothing more."""
        if self.consumer is not None:  # whatever was to start before it may have failed
            await self.consumer.stop()

    @property
    def client(self) -> Client:
        """aiokafka's client."""
        client: Client = self.consumer._client
        return client

    @property
    def isolation_level(self) -> int:
        """What is read of transactions, as aiokafka's fetcher has it."""
        return self._fetcher._isolation_level

    def has_any(self, partitions: Collection[TP]) -> bool:
        """Return whether records of one of these partitions are fetched, and not taken yet."""
        return any(tp in self._fetcher._records for tp in partitions)

    def take(self, partitions: set[TP], most: int, most_bytes: int) -> dict[TP, list[Record]]:
        """Take the fetched records of partitions; see `streamapp.kafka.record_reader.take`."""
        return take(self._fetcher, partitions, most, most_bytes)

    def read_to(self) -> dict[TP, int]:
        """Return by partition the offset up to which records were taken; none of those whose fetch has failed.

        After one the position may be behind what could not be read.
        """
        subscription = self._fetcher._subscriptions.subscription
        assignment = subscription.assignment if subscription is not None else None
        if assignment is None:
            return {}
        states = {TP(*tp): assignment.state_value(tp) for tp in assignment.tps}
        return {
            tp: state.position
            for tp, state in states.items()
            if state and state.has_valid_position and not isinstance(self._fetcher._records.get(tp), FetchError)
        }

    def begin(
        self,
        joined: Mapping[str, tuple[str, ...]],
        positions: Mapping[TP, int],
        doubt: Callable[[], None] | None = None,
    ) -> None:
        """Fetch other partitions than before, or from elsewhere.

        Args:
            joined: for each topic, the topics that are joined (`groups`).
            positions: by partition, the offset of the first record to be fetched.
            doubt: called when a fetch has failed; its partitions then wait for `Fetching.trust`. None = they do not.
        """
        self.fetching.arrange(joined, doubt)
        self.consumer.assign([TopicPartition(*tp) for tp in positions])
        for tp, position in positions.items():
            self.consumer.seek(TopicPartition(*tp), position)

    async def partitions(self, topic: str) -> set[int]:
        """Return the numbers of a topic's partitions, also of one of which this worker reads none."""
        cluster = self.client.cluster
        if not cluster.partitions_for_topic(topic):
            await self.client.add_topic(topic)
        return cluster.partitions_for_topic(topic) or set()

    async def bounds(self, partitions: Collection[TP]) -> tuple[dict[TP, int], dict[TP, int]]:
        """Ask for the first and the end offsets of partitions; a KafkaError if they are not to be had now."""
        begins = await end_offsets(self.client, partitions, self.isolation_level, EARLIEST)
        return begins, await end_offsets(self.client, partitions, self.isolation_level)

    def end_offsets(self) -> dict[TP, int | None]:
        """Return the end offsets of all partitions that are fetched, as `end_offset` does."""
        return {TP(*tp): self.end_offset(TP(*tp)) for tp in self.consumer.assignment()} if self.consumer else {}

    def end_offset(self, tp: TP) -> int | None:
        """Return the end offset of a partition as the last fetch told it; None = none has."""
        end: int | None = self.consumer.highwater(TopicPartition(*tp))
        return end
