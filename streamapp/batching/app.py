"""The Faust app whose agents get batches: Faust's `App` with our transport, streams, tables and recovery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, cast

import faust
from faust.types.auth import SASLMechanism

from streamapp.batching.agent import Agent
from streamapp.batching.batch import Batch, BatchSchema, Record
from streamapp.batching.dead_letters import DeadLetters, Reason, Rejected
from streamapp.batching.output import Output
from streamapp.batching.recovery import TableManager
from streamapp.batching.stream import Stream
from streamapp.cluster import LARGEST_RECORD
from streamapp.settings import DEAD_LETTERS, Settings
from streamapp.stores.table import Table

__all__ = ["App"]

#: Seconds between commits: what a killed worker does again at most, and little enough work to be no load.
COMMIT_EVERY: Final = 1.0
#: A fetch of a partition may bring so many bytes: a batch of 20,000 small records compressed, or one large one.
FETCH_BYTES: Final = 4 << 20
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
                "broker_heartbeat_interval": settings.session_timeout / 5,
                "broker_request_timeout": max(40.0, settings.session_timeout),
                "broker_commit_interval": COMMIT_EVERY,
                "consumer_auto_offset_reset": "earliest",
                "consumer_max_fetch_size": FETCH_BYTES,
                "producer_acks": -1,
                "producer_compression_type": "snappy",
                "producer_linger": 0,
                "producer_max_batch_size": BATCH_BYTES,
                "producer_max_request_size": LARGEST_RECORD,
                "producer_request_timeout": 40.0,
                "datadir": str(settings.datadir),
                "store": f"batched-{settings.store}",
                "table_standby_replicas": 0,
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
        #: Topics that results are sent to.
        self.outputs: list[Output] = []
        #: Records that the agents are done with, by topic.
        self.read: Counter[str] = Counter()
        self.dead_letters = DeadLetters(self.output(DEAD_LETTERS))

    def batches(self, name: str, *, after: tuple[str, ...] = ()) -> Any:
        """Declare a topic whose agents get batches.

        Args:
            name: the topic's name without the prefix.
            after: topics that are read first, partition by partition, as far as the broker has them.
        """
        schema = BatchSchema(after=(self.settings.topic(other) for other in after))
        return self.topic(self.settings.topic(name), schema=schema)

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

    async def emit(self, batch: Batch, output: Output, results: Sequence[tuple[Record, bytes]]) -> None:
        """Send a result for each of these records of a batch, with the record's key and event time.

        Returns once the broker has them all. A result that the output topic refuses for its size is not lost: its
        record goes to the dead letters.
        """
        refused = await output.send(
            [(record.key, value, record.timestamp, []) for record, value in results], like=batch
        )
        if refused:
            error = f"{output.topic} refuses the result for its size (max.message.bytes)"
            await self.dead_letters.send([Rejected(results[number][0], Reason.TOO_LARGE, error) for number in refused])


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
