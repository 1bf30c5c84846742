"""The Faust app whose agents get batches: Faust's `App` with our transport, streams, tables and recovery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import faust
from faust.types.auth import CredentialsT, SASLMechanism

from streamapp.errors import StreamappError
from streamapp.kafka.admin import LARGEST_RECORD
from streamapp.kafka.refusals import RefusedError, name_of, standing, text_of
from streamapp.runtime.batch import BatchSchema
from streamapp.runtime.output import Output
from streamapp.runtime.unmatched import UnmatchedOutput
from streamapp.settings import Guarantee, Settings
from streamapp.worker.agent import Agent
from streamapp.worker.assignor import Assignor
from streamapp.worker.base import BaseApp
from streamapp.worker.recovery import TableManager
from streamapp.worker.stream import Stream
from streamapp.worker.table import Table
from streamapp.worker.value_table import ValueTable

__all__ = ["App"]

#: Seconds between commits: what a killed worker does again at most, and little enough work to be no load.
COMMIT_INTERVAL_S: Final = 1.0
#: The same with exactly_once, as in Kafka Streams: so long are results there before readers of committed ones get them.
TRANSACTION_INTERVAL_S: Final = 0.1
#: Seconds between heartbeats, at most: so long partitions may wait for another worker after theirs has left.
HEARTBEAT_INTERVAL_MAX_S: Final = 1.0
#: Bytes of one produced batch: larger ones compress better and cost fewer requests.
PRODUCER_BATCH_BYTES: Final = 1 << 20


class App(BaseApp):
    """A Faust app made from settings.

    Args:
        settings: where the broker is, how tables are kept, and so on.
        options: further options of `faust.App`.
    """

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__(
            settings,
            **{
                "broker": ";".join(f"batches://{server}" for server in settings.broker.split(",")),
                "broker_credentials": _credentials(settings),
                "broker_session_timeout": settings.session_timeout,
                "broker_heartbeat_interval": min(settings.session_timeout / 5, HEARTBEAT_INTERVAL_MAX_S),
                "broker_request_timeout": max(40.0, settings.session_timeout),
                "broker_commit_interval": TRANSACTION_INTERVAL_S
                if settings.processing_guarantee is Guarantee.EXACTLY_ONCE
                else COMMIT_INTERVAL_S,
                "consumer_auto_offset_reset": "earliest",
                "consumer_max_fetch_size": settings.buffer,
                "producer_acks": -1,
                "producer_compression_type": "snappy",
                "producer_linger": 0,
                "producer_max_batch_size": PRODUCER_BATCH_BYTES,
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
                "PartitionAssignor": Assignor,
                "Stream": Stream,
                "Table": ValueTable,
                "TableManager": TableManager,
                **options,
            },
        )

    def _discovery_modules(self) -> list[str]:
        # Faust (0.15.3) adds the whole package of the app, and would import what only some commands need.
        return [module for module in super()._discovery_modules() if module != self.conf.origin]

    async def crash(self, reason: BaseException) -> None:
        """Stop the worker for a reason; one that is no bug is told without the way there."""
        if standing(type(reason)):
            reason = RefusedError(text_of(reason, name_of(reason, self.conf.id)))
        if isinstance(reason, StreamappError):
            reason = reason.with_traceback(None)
            reason.__cause__ = reason.__context__ = None
        await super().crash(reason)

    def topic(
        self,
        *topics: str,
        batches: bool = False,
        after: Sequence[str | faust.Topic] = (),
        create: bool = False,
        internal: bool = False,
        **options: Any,
    ) -> Any:
        """Declare a topic, as `faust.App.topic` does; declared once more, it is the same one.

        Args:
            topics: names without the prefix (``STREAMAPP_TOPIC_PREFIX``).
            batches: whether its agents get whole batches (`Batch`), not an event at a time.
            after: topics that are read before it, partition by partition, as far as the broker has them; only with
                batches.
            create: whether it is this app's own, and is made if it is missing (``STREAMAPP_CREATE``).
            internal: whether the names are full ones, as those of Faust's own topics are.
            options: the further ones of `faust.App.topic`.
        """
        if after and not batches:
            raise ValueError("after=… is of topics that are read in batches: batches=True")
        names = topics if internal or self.conf.reply_to in topics else tuple(map(self.settings.topic, topics))
        if create:
            self.declared.own.update(names)
        if not batches:
            return super().topic(*names, internal=internal, **options)
        before = [self.settings.topic(one) if isinstance(one, str) else one.topics[0] for one in after]
        for name in names:
            self.declared.read(name, before)
        return self.subscription(*names, schema=BatchSchema(after=before), **options)

    def subscription(self, *topics: str, schema: BatchSchema, **options: Any) -> Any:
        """Return what an agent gets the batches of topics through, which are named in full."""
        return super().topic(*topics, schema=schema, **options)

    async def on_start(self) -> None:
        """Begin to watch what becomes of the records."""
        await super().on_start()
        await self.add_runtime_dependency(self.watch)

    def table(self, name: str, **options: Any) -> Table:
        """Declare a table of `streamapp.joins.Row`; declared once more, it is the same one."""
        found = self.tables.get(name)
        if found is None:
            found = self.tables.add(Table(self, name=name, beacon=self.tables.beacon, **options))
        elif isinstance(found, ValueTable):
            raise TypeError(f"{name} is declared by app.Table(…) already, as a table of Faust's")
        return cast(Table, found)

    def GlobalTable(self, name: str, **_options: Any) -> Any:  # noqa: N802 - Faust's name
        """Refuse: Faust's (0.15.3) may recover for ever with more than one worker."""
        raise NotImplementedError(f'app.GlobalTable("{name}"): use app.topic(…).global_table(), or app.Table(…)')

    def SetTable(self, name: str, **_options: Any) -> Any:  # noqa: N802 - Faust's name
        """Refuse: the sets of Faust's (0.15.3) have a store and a changelog of their own."""
        raise NotImplementedError(f'app.SetTable("{name}"): use app.Table("{name}", default=list)')

    SetGlobalTable = SetTable

    def sink(self, topic: str | faust.Topic | Output) -> Output:
        """Declare a topic that results are sent to; declared once more, it is the same one.

        Args:
            topic: its name without the prefix, or a declared topic.
        """
        if isinstance(topic, Output):
            return topic
        name = self.settings.topic(topic) if isinstance(topic, str) else topic.topics[0]
        return self.declared.sink(name, lambda: Output(self, name))

    def unmatched(
        self, name: str, *, table: Table, reason: Callable[[bytes], str], keeps: bool = False
    ) -> UnmatchedOutput:
        """Declare a topic for records that an agent has looked up in a table, and for which it found no row.

        They are counted by reason, and it is told when most records are such.

        Args:
            name: the topic's name without the prefix.
            table: that they are looked up in.
            reason: returns why there was no row, of the value that is sent.
            keeps: whether they give a result all the same, as in a left join.
        """
        topic = self.settings.topic(name)
        return self.declared.sink(topic, lambda: UnmatchedOutput(self, topic, table, reason, keeps=keeps))


def _credentials(settings: Settings) -> CredentialsT | None:
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
