"""The Faust app whose agents get batches, and what the parts of its worker share.

Faust loads the parts (agent, stream, recovery, …) by their names: they know the app, and it does not import them.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NoReturn, Protocol, cast

import faust
from faust.types import TP, TopicT
from faust.types.auth import CredentialsT, SASLMechanism

from streamapp.errors import StreamappError
from streamapp.formats.format import FormatDeclaration
from streamapp.joins import Clock
from streamapp.kafka.admin import LARGEST_RECORD
from streamapp.kafka.refusals import RefusedError, name_of, standing, text_of
from streamapp.runtime.ahead import Ahead, WallClock
from streamapp.runtime.alignment import Alignment, groups
from streamapp.runtime.batch import BatchSchema
from streamapp.runtime.checkpoint import Checkpoint
from streamapp.runtime.cycles import Flow
from streamapp.runtime.histogram import BATCH_RECORDS, SECONDS, Histogram
from streamapp.runtime.losses import Losses
from streamapp.runtime.output import DeadLetters, Output
from streamapp.runtime.patience import Patience
from streamapp.runtime.problems import Problems
from streamapp.runtime.resumption import Resumption
from streamapp.runtime.topics import DeclaredTopics
from streamapp.runtime.unmatched import UnmatchedOutput
from streamapp.runtime.watch import Watch
from streamapp.settings import DEAD_LETTERS, PREFIX, Compression, Guarantee, Settings
from streamapp.worker.retention import RetentionWatch
from streamapp.worker.table import RowTables, Table
from streamapp.worker.value_table import ValueTable

__all__ = ["App"]

#: Seconds between commits by default: what a killed worker does again at most, and little enough work to be no load.
COMMIT_INTERVAL_S: Final = 1.0
#: The same with exactly_once, as in Kafka Streams: so long are results there before readers of committed ones get them.
TRANSACTION_INTERVAL_S: Final = 0.1
#: Seconds between heartbeats, at most: so long partitions may wait for another worker after theirs has left.
HEARTBEAT_INTERVAL_MAX_S: Final = 1.0
#: Seconds that a broker has to answer; a session timeout that is longer has its own.
REQUEST_TIMEOUT_S: Final = 40.0
#: Bytes of one produced batch: larger ones compress better and cost fewer requests.
PRODUCER_BATCH_BYTES: Final = 1 << 20


class BatchConsumer(Protocol):
    """The consumer, with what a batch passes through in this worker."""

    alignment: Alignment
    resumption: Resumption
    checkpoint: Checkpoint


class App(faust.App):
    """A Faust app made from settings.

    Args:
        settings: where the broker is, how tables are kept, and so on.
        options: further options of `faust.App`.
    """

    #: What log lines name for a new start.
    reset_command: str = "faust -A APP reset"

    def __init__(self, settings: Settings, **options: Any) -> None:
        self.settings = settings
        super().__init__(settings.id, **{**_options(settings), **options})
        self.dead_letters = DeadLetters(self, settings.topic(DEAD_LETTERS))
        #: The topics that are read and written, as they are declared.
        self.declared = DeclaredTopics()
        self.declared.sink(self.dead_letters.topic, lambda: self.dead_letters)
        #: How many partitions the input topics and the changelogs had before the start.
        self.partition_counts: dict[str, int] = {}
        #: Called before the worker joins its group; each may raise a `StreamappError` of one line.
        self.before_start: list[Callable[[], None]] = []
        #: What is worth to know of the topics, found before the start and told at it.
        self.notes: list[tuple[int, str]] = []
        #: Tells of records that their topics delete for their age.
        self.retention = RetentionWatch(settings)
        #: What is wrong although the worker runs.
        self.faults = Problems()
        #: Records that were gone before they were read.
        self.losses = Losses(self.faults, settings.on_lost)
        #: Records that the agents are done with, by topic.
        self.read: Counter[str] = Counter()
        #: By partition, the event time (s) of the last of them.
        self.read_up_to: dict[TP, float] = {}
        #: By topic, how many records the agents' batches have, and how long (s) these have waited before.
        self.batches = defaultdict[str, Histogram](partial(Histogram, BATCH_RECORDS))
        self.waits = defaultdict[str, Histogram](partial(Histogram, SECONDS))
        #: Tells when most of what is read comes to nothing.
        self.watch = Watch(self.faults, self.read, settings.alarm_share)
        #: Looks for records that are ahead of the wall clock, which bounds the event clocks.
        self.ahead = Ahead(WallClock(settings.max_ahead), f"{PREFIX}MAX_AHEAD={settings.max_ahead:g}")
        self.patience = Patience(self.faults)
        self.row_tables = RowTables(self)

    def _discovery_modules(self) -> list[str]:
        # Faust (0.15.3) adds the whole package of the app, and would import what only some commands need.
        return [module for module in super()._discovery_modules() if module != self.conf.origin]

    async def on_start(self) -> None:
        """Begin to watch what becomes of the records."""
        await super().on_start()
        await self.add_runtime_dependency(self.watch)

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
        whole: bool = False,
        create: bool = False,
        internal: bool = False,
        format: FormatDeclaration | None = None,  # noqa: A002
        key_format: FormatDeclaration | None = None,
        **options: Any,
    ) -> Any:
        """Declare a topic, as `faust.App.topic` does; declared once more, it is the same one.

        Args:
            topics: names without the prefix (``STREAMAPP_TOPIC_PREFIX``).
            batches: whether its agents get whole batches (`Batch`), not an event at a time.
            after: topics that are read before it, partition by partition, as far as the broker has them; only with
                batches.
            whole: whether a batch has records of all partitions that this worker has, in the order of their event times
                (`Batch.by_partition`); only with batches.
            create: whether it is this app's own, and is made if it is missing (``STREAMAPP_CREATE``).
            internal: whether the names are full ones, as those of Faust's own topics are.
            format: what its values are, for joins, windows and functions; None = JSON. Agents get them as they came.
            key_format: what its keys are, likewise; None = text.
            options: the further ones of `faust.App.topic`.
        """
        if (after or whole) and not batches:
            raise ValueError("after=… and whole=… are of topics that are read in batches: batches=True")
        names = topics if internal or self.conf.reply_to in topics else tuple(map(self.settings.topic, topics))
        if create:
            self.declared.own.update(names)
        for name in names:
            self.declared.serde(name, format, key_format)
        if not batches:
            return super().topic(*names, internal=internal, **options)
        before = [self.settings.topic(one) if isinstance(one, str) else one.topics[0] for one in after]
        for name in names:
            self.declared.read(name, before)
        return self.subscription(*names, schema=BatchSchema(after=before, merged=whole, whole=whole), **options)

    def subscription(self, *topics: str, schema: BatchSchema, **options: Any) -> TopicT:
        """Return what an agent gets the batches of topics through, which are named in full."""
        return super().topic(*topics, schema=schema, **options)

    def table(self, name: str, **options: Any) -> Table:
        """Declare a table of `streamapp.joins.Row`; declared once more, it is the same one."""
        found = self.tables.get(name)
        if found is None:
            found = self.tables.add(Table(self, name=name, beacon=self.tables.beacon, **options))
        elif isinstance(found, ValueTable):
            raise TypeError(f"{name} is declared by app.Table(…) already, as a table of Faust's")
        elif (join := cast(Table, found).owner) is not None:
            raise TypeError(f"{name} is the table of the {join.title}, which writes it: name yours otherwise")
        return cast(Table, found)

    def GlobalTable(self, name: str, **_options: object) -> NoReturn:  # noqa: N802 - Faust's name
        """Refuse: Faust's (0.15.3) may recover for ever with more than one worker."""
        raise NotImplementedError(f'app.GlobalTable("{name}"): use app.topic(…).global_table(), or app.Table(…)')

    def SetTable(self, name: str, **_options: object) -> NoReturn:  # noqa: N802 - Faust's name
        """Refuse: the sets of Faust's (0.15.3) have a store and a changelog of their own."""
        raise NotImplementedError(f'app.SetTable("{name}"): use app.Table("{name}", default=list)')

    SetGlobalTable = SetTable

    def sink(
        self,
        topic: str | faust.Topic | Output,
        *,
        format: FormatDeclaration | None = None,  # noqa: A002
        key_format: FormatDeclaration | None = None,
    ) -> Output:
        """Declare a topic that results are sent to; declared once more, it is the same one.

        Args:
            topic: its name without the prefix, or a declared topic.
            format: what its values are written as; None = as it was declared before, else JSON.
            key_format: what its keys are written as, likewise; else text.

        Raises:
            StreamappError: if its values cannot be of this format, or are declared to be of another one.
        """
        if isinstance(topic, Output):
            found = topic
        else:
            name = self.settings.topic(topic) if isinstance(topic, str) else topic.topics[0]
            found = self.declared.sink(name, lambda: Output(self, name))
        found.serde = self.declared.serde(found.topic, format, key_format)
        found.key_formats = self.declared.key_formats
        return found

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

    def clock(self) -> Clock:
        """Make an event clock for a partition, which no record pushes further than ``STREAMAPP_MAX_AHEAD`` allows."""
        return Clock(self.ahead.wall)

    def note(self, text: str, level: int = logging.WARNING) -> None:
        """Have something told in the log once there is one: at the start of the worker."""
        self.notes.append((level, text))

    def problems(self) -> list[str]:
        """Return what is wrong with this worker, although it runs, in a line each."""
        return list(self.faults)

    def merges(self) -> list[tuple[str, ...]]:
        """Return the topics that agents merge, for each such agent."""
        return []

    def flows(self) -> list[Flow]:
        """Return from which topics the declared joins read, and to which they send."""
        return []

    def topics_read(self) -> set[str]:
        """Return the topics that agents read; one that is declared need not be among them."""
        return {topic for channel in self.channels() for topic in channel.topics}.union(*self.merges())

    def channels(self) -> list[TopicT]:
        """Return the topics as agents and streams read them, one for each reader, those between agents among them."""
        agents = [agent.channel for agent in self.agents.values() if isinstance(agent.channel, TopicT)]
        return [*agents, *(stream for stream in self.topics if stream not in agents)]

    def event_topics(self) -> list[str]:
        """Return the topics that are read event by event, without those between agents of this app."""
        events = [channel for channel in self.channels() if not isinstance(channel.schema, BatchSchema)]
        return list(dict.fromkeys(topic for channel in events if not channel.internal for topic in channel.topics))

    def joined_topics(self) -> list[tuple[str, ...]]:
        """Return all input topics, those together that are joined and so need equally many partitions."""
        inputs = {**self.declared.inputs, **dict.fromkeys(self.event_topics(), ())}
        return list(dict.fromkeys(groups(inputs, self.merges()).values()))

    @property
    def batch_consumer(self) -> BatchConsumer:
        """The consumer, which is made when it is asked for first."""
        return cast(BatchConsumer, self.consumer)

    @property
    def resumption(self) -> Resumption:
        """Where partitions go on."""
        return self.batch_consumer.resumption

    @property
    def checkpoint(self) -> Checkpoint:
        """Makes work durable."""
        return self.batch_consumer.checkpoint

    @property
    def alignment(self) -> Alignment | None:
        """Which records may go to the agents; None before the consumer is made."""
        return None if self._consumer is None else self.batch_consumer.alignment

    @property
    def held(self) -> int:
        """How many fetched records wait until the topics which go before theirs are read."""
        return 0 if self.alignment is None else self.alignment.held

    @property
    def enforced(self) -> int:
        """How many batches went although a partition they are joined with had nothing (``STREAMAPP_MAX_IDLE``)."""
        return 0 if self.alignment is None else self.alignment.enforced


def _options(settings: Settings) -> dict[str, object]:
    once = settings.processing_guarantee is Guarantee.EXACTLY_ONCE
    return {
        "broker": ";".join(f"batches://{server}" for server in settings.broker.split(",")),
        "broker_credentials": _credentials(settings),
        "broker_session_timeout": settings.session_timeout,
        "broker_heartbeat_interval": min(settings.session_timeout / 5, HEARTBEAT_INTERVAL_MAX_S),
        "broker_request_timeout": max(REQUEST_TIMEOUT_S, settings.session_timeout),
        "broker_commit_interval": settings.commit_interval or (TRANSACTION_INTERVAL_S if once else COMMIT_INTERVAL_S),
        "consumer_auto_offset_reset": "earliest",
        "consumer_max_fetch_size": settings.buffer,
        "producer_acks": -1,
        "producer_compression_type": None if settings.compression is Compression.NONE else settings.compression.value,
        "producer_linger": settings.linger / 1000,
        "producer_max_batch_size": PRODUCER_BATCH_BYTES,
        "producer_max_request_size": LARGEST_RECORD,
        "producer_request_timeout": REQUEST_TIMEOUT_S,
        "datadir": str(settings.datadir),
        "store": f"batched-{settings.store}",
        "table_standby_replicas": settings.standbys,
        "topic_partitions": settings.partitions,
        "topic_replication_factor": settings.replication,
        "web_port": settings.web_port,
        "web_bind": settings.web_bind,
        "web_host": settings.web_name,
        "Agent": "streamapp.worker.stream:Agent",
        "PartitionAssignor": "streamapp.worker.assignor:Assignor",
        "Stream": "streamapp.worker.stream:Stream",
        "Table": ValueTable,
        "TableManager": "streamapp.worker.recovery:TableManager",
        "Worker": "streamapp.worker.process:Worker",
    }


def _credentials(settings: Settings) -> CredentialsT | None:
    tls = settings.ssl_context() if settings.uses_tls else None
    if settings.uses_sasl:
        return faust.SASLCredentials(
            username=settings.sasl_username,
            password=settings.sasl_password,
            ssl_context=tls,
            mechanism=SASLMechanism(settings.sasl_mechanism.value),
        )
    return faust.SSLCredentials(context=tls) if tls is not None else None
