"""The Faust app whose agents get batches: Faust's `App` with our transport, streams, tables and recovery."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, cast

import faust
from faust.types.auth import SASLMechanism

from streamapp.batching.agent import Agent
from streamapp.batching.alignment import groups
from streamapp.batching.batch import BatchSchema
from streamapp.batching.checkpoint import Checkpoint
from streamapp.batching.dead_letters import DeadLetters
from streamapp.batching.output import Output
from streamapp.batching.problems import Problems
from streamapp.batching.recovery import TableManager
from streamapp.batching.stream import Stream
from streamapp.batching.unreadable import UnreadableBatchError
from streamapp.cluster import LARGEST_RECORD
from streamapp.growth import PartitionsChangedError
from streamapp.retention import RetentionWatch
from streamapp.settings import DEAD_LETTERS, Guarantee, Settings
from streamapp.stores.errors import StoreError
from streamapp.stores.table import Table

__all__ = ["App"]

#: Seconds between commits: what a killed worker does again at most, and little enough work to be no load.
COMMIT_EVERY: Final = 1.0
#: The same with exactly_once, as in Kafka Streams: so long are results there before readers of committed ones get them.
TRANSACTION_EVERY: Final = 0.1
#: Seconds between heartbeats, at most: so long partitions may wait for another worker after theirs has left.
HEARTBEAT_EVERY: Final = 1.0
#: Bytes of one produced batch: larger ones compress better and cost fewer requests.
BATCH_BYTES: Final = 1 << 20


class App(faust.App):
    """A Faust app made from settings.

    Args:
        settings: where the broker is, how tables are kept, and so on.
        options: further options of `faust.App`.
    """

    def __init__(self, settings: Settings, **options: Any) -> None:
        self.settings = settings
        super().__init__(
            settings.id,
            **{
                "broker": ";".join(f"batches://{server}" for server in settings.broker.split(",")),
                "broker_credentials": _credentials(settings),
                "broker_session_timeout": settings.session_timeout,
                "broker_heartbeat_interval": min(settings.session_timeout / 5, HEARTBEAT_EVERY),
                "broker_request_timeout": max(40.0, settings.session_timeout),
                "broker_commit_interval": TRANSACTION_EVERY
                if settings.processing_guarantee is Guarantee.EXACTLY_ONCE
                else COMMIT_EVERY,
                "consumer_auto_offset_reset": "earliest",
                "consumer_max_fetch_size": settings.buffer,
                "producer_acks": -1,
                "producer_compression_type": "snappy",
                "producer_linger": 0,
                "producer_max_batch_size": BATCH_BYTES,
                "producer_max_request_size": LARGEST_RECORD,
                "producer_request_timeout": 40.0,
                "datadir": str(settings.datadir),
                "store": f"batched-{settings.store}",
                "table_standby_replicas": settings.standbys,
                "topic_partitions": settings.partitions,
                "topic_replication_factor": settings.replication,
                "web_port": settings.web_port,
                "web_bind": settings.web_bind,
                "web_host": settings.web_name,
                "Agent": Agent,
                "Stream": Stream,
                "Table": Table,
                "TableManager": TableManager,
                **options,
            },
        )
        self.dead_letters = DeadLetters(self, settings.topic(DEAD_LETTERS))
        #: Topics that results are sent to.
        self.outputs: list[Output] = [self.dead_letters]
        #: Topics between the agents of this app.
        self.internal: list[Output] = []
        #: How many partitions the input topics and the changelogs had before the start.
        self.partition_counts: dict[str, int] = {}
        #: What is worth to know of the topics, found before the start and told at it.
        self.notes: list[str] = []
        #: Tells of records that their topics delete for their age.
        self.retention = RetentionWatch(settings)
        #: Topics whose agents get batches, by name, with those that go before each.
        self.inputs: dict[str, tuple[str, ...]] = {}
        #: What is wrong although the worker runs.
        self.faults = Problems()
        #: Records that the agents are done with, by topic.
        self.read: Counter[str] = Counter()
        self.checkpoint = Checkpoint(self)

    async def crash(self, reason: BaseException) -> None:
        """Stop the worker for a reason; one that is no bug is told without the way there."""
        told = isinstance(reason, (StoreError, UnreadableBatchError, PartitionsChangedError))
        await super().crash(reason.with_traceback(None) if told else reason)

    def batches(self, name: str, *, after: tuple[str, ...] = ()) -> Any:
        """Declare a topic whose agents get batches.

        Args:
            name: the topic's name without the prefix.
            after: topics that are read first, partition by partition, as far as the broker has them.
        """
        topic, before = self.settings.topic(name), tuple(self.settings.topic(other) for other in after)
        self.inputs[topic] = before
        return self.topic(topic, schema=BatchSchema(after=before))

    def merges(self) -> list[tuple[str, ...]]:
        """Give the topics that agents merge, for each such agent."""
        return []

    def joined_topics(self) -> list[tuple[str, ...]]:
        """Give all input topics, those together that are joined and so need equally many partitions."""
        return list(dict.fromkeys(groups(self.inputs, self.merges()).values()))

    def problems(self) -> list[str]:
        """Return what is wrong with this worker, although it runs, in a line each."""
        return list(self.faults)

    def rows(self, name: str, **options: Any) -> Table:
        """Declare a table of `streamapp.joins.Row`."""
        return cast(Table, self.Table(name, **options))

    def output(self, name: str) -> Output:
        """Declare a topic that results are sent to."""
        output = Output(self, self.settings.topic(name))
        self.outputs.append(output)
        return output

    @property
    def held(self) -> int:
        """How many fetched records wait until the topics which go before theirs are read."""
        consumer: Any = self._consumer
        return consumer.alignment.held if consumer is not None else 0

    @property
    def enforced(self) -> int:
        """How many batches went although a partition they are joined with had nothing (``STREAMAPP_MAX_IDLE``)."""
        consumer: Any = self._consumer
        return consumer.enforced if consumer is not None else 0


def _credentials(settings: Settings) -> Any:
    if settings.uses_sasl:
        return faust.SASLCredentials(
            username=settings.sasl_username,
            password=settings.sasl_password,
            ssl_context=settings.ssl_context() if settings.uses_tls else None,
            mechanism=SASLMechanism(settings.sasl_mechanism.value),
        )
    if settings.uses_tls:
        return faust.SSLCredentials(context=settings.ssl_context())
    return None
