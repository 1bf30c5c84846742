"""What the app has beside Faust's, for the parts of a worker: its declared topics, its tables, and what it counts."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any, Protocol, cast

import faust
from faust.types import TP

from streamapp.joins import Clock
from streamapp.runtime.ahead import Ahead, WallClock
from streamapp.runtime.alignment import Alignment, groups
from streamapp.runtime.batch import BatchSchema
from streamapp.runtime.checkpoint import Checkpoint
from streamapp.runtime.cycles import Flow
from streamapp.runtime.dead_letters import DeadLetters
from streamapp.runtime.losses import Losses
from streamapp.runtime.patience import Patience
from streamapp.runtime.problems import Problems
from streamapp.runtime.resumption import Resumption
from streamapp.runtime.settling import Settling
from streamapp.runtime.topics import DeclaredTopics
from streamapp.runtime.watch import Watch
from streamapp.settings import DEAD_LETTERS, PREFIX, Settings
from streamapp.worker.retention import RetentionWatch
from streamapp.worker.table import RowTables, Table
from streamapp.worker.value_table import ValueTable

__all__ = ["BaseApp"]


class BatchConsumer(Protocol):
    """The consumer, with what a batch passes through in this worker."""

    alignment: Alignment
    settling: Settling
    resumption: Resumption
    checkpoint: Checkpoint


class BaseApp(faust.App):
    """What the parts of a worker know of the app.

    Args:
        settings: where the broker is, how tables are kept, and so on.
        options: further options of `faust.App`.
    """

    #: What log lines name for a new start.
    reset_command: str = "faust -A APP reset"

    def __init__(self, settings: Settings, **options: Any) -> None:
        self.settings = settings
        super().__init__(settings.id, **options)
        self.dead_letters = DeadLetters(self, settings.topic(DEAD_LETTERS))
        #: The topics that are read and written, as they are declared.
        self.declared = DeclaredTopics()
        self.declared.sink(self.dead_letters.topic, lambda: self.dead_letters)
        #: How many partitions the input topics and the changelogs had before the start.
        self.partition_counts: dict[str, int] = {}
        #: What is worth to know of the topics, found before the start and told at it.
        self.notes: list[tuple[int, str]] = []
        #: Tells of records that their topics delete for their age.
        self.retention = RetentionWatch(settings)
        #: What is wrong although the worker runs.
        self.faults = Problems()
        #: Tells when most of what is read comes to nothing.
        self.watch = Watch(self)
        #: Records that were gone before they were read.
        self.losses = Losses(self.faults, settings.on_lost)
        #: Records that the agents are done with, by topic.
        self.read: Counter[str] = Counter()
        #: Looks for records that are ahead of the wall clock, which bounds the event clocks.
        self.ahead = Ahead(WallClock(settings.max_ahead), f"{PREFIX}MAX_AHEAD={settings.max_ahead:g}")
        self.patience = Patience(self.faults)
        self.tables_of_rows = RowTables(self)

    @property
    def batch_consumer(self) -> BatchConsumer:
        """The consumer, which is made when it is asked for first."""
        return cast(BatchConsumer, self.consumer)

    @property
    def settling(self) -> Settling:
        """Sends results and rows."""
        return self.batch_consumer.settling

    @property
    def resumption(self) -> Resumption:
        """Where partitions go on."""
        return self.batch_consumer.resumption

    @property
    def checkpoint(self) -> Checkpoint:
        """Makes work durable."""
        return self.batch_consumer.checkpoint

    def merges(self) -> list[tuple[str, ...]]:
        """Return the topics that agents merge, for each such agent."""
        return []

    def flows(self) -> list[Flow]:
        """Return from which topics the declared joins read, and to which they send."""
        return []

    def topics_read(self) -> set[str]:
        """Return the topics that agents read; one that is declared need not be among them."""
        return {topic for channel in self.channels() for topic in channel.topics}.union(*self.merges())

    def channels(self) -> list[Any]:
        """Return the topics as agents and streams read them, one for each reader, those between agents among them."""
        agents = [agent.channel for agent in self.agents.values() if hasattr(agent.channel, "topics")]
        return [*agents, *(stream for stream in self.topics if stream not in agents)]

    def event_topics(self) -> list[str]:
        """Return the topics that are read event by event, without those between agents of this app."""
        events = [channel for channel in self.channels() if not isinstance(channel.schema, BatchSchema)]
        return list(dict.fromkeys(topic for channel in events if not channel.internal for topic in channel.topics))

    def joined_topics(self) -> list[tuple[str, ...]]:
        """Return all input topics, those together that are joined and so need equally many partitions."""
        inputs = {**self.declared.inputs, **dict.fromkeys(self.event_topics(), ())}
        return list(dict.fromkeys(groups(inputs, self.merges()).values()))

    def problems(self) -> list[str]:
        """Return what is wrong with this worker, although it runs, in a line each."""
        return list(self.faults)

    def clock(self) -> Clock:
        """Make an event clock for a partition, which no record pushes further than ``STREAMAPP_MAX_AHEAD`` allows."""
        return Clock(self.ahead.wall)

    def note(self, text: str, level: int = logging.WARNING) -> None:
        """Have something told in the log once there is one: at the start of the worker."""
        self.notes.append((level, text))

    @property
    def held(self) -> int:
        """How many fetched records wait until the topics which go before theirs are read."""
        return 0 if self._consumer is None else self.batch_consumer.alignment.held

    @property
    def row_tables(self) -> list[Table]:
        """The tables of rows, with changelogs: those that agents have, and the states of joins."""
        return self.tables_of_rows.of_rows

    @property
    def value_tables(self) -> list[ValueTable]:
        """Those of them that are Faust's own."""
        return [table for table in self.row_tables if isinstance(table, ValueTable)]

    def acknowledged(self, tp: TP) -> None:
        """Have Faust's own tables take in what was written for an event of a partition, or a batch."""
        for table in self.value_tables:
            table.finish(tp)

    @property
    def enforced(self) -> int:
        """How many batches went although a partition they are joined with had nothing (``STREAMAPP_MAX_IDLE``)."""
        return 0 if self._consumer is None else self.batch_consumer.alignment.enforced
