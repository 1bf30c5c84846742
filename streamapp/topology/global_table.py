"""A global table on Kafka: all partitions of a topic, read by every worker, whichever partitions of a stream it has.

(Kafka Streams' GlobalKTable.) It is in memory, and read from the beginning of its topic at each start.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

from aiokafka import AIOKafkaConsumer
from mode import Service

from streamapp.joins import GlobalTable, Joined, MemoryStore, Operator, State, StreamTableJoin
from streamapp.joins.declared import Declared, earlier

__all__ = ["GlobalJoin", "TopicGlobalTable"]


class TopicGlobalTable(Service):
    """A topic as a global table; made by `Topic.global_table`.

    Args:
        app: the app.
        topic: full name of the topic.
    """

    def __init__(self, app: Any, topic: str) -> None:
        super().__init__()
        self.app = app
        self.topic = topic
        self._state = State(MemoryStore())
        self.table = GlobalTable(self._state)
        #: Set once the table is as far as its topic was when the worker started.
        self.complete = asyncio.Event()

    @Service.task
    async def _read(self) -> None:
        settings = self.app.settings
        # Without a group it is given all partitions.
        reader = AIOKafkaConsumer(
            self.topic,
            **settings.aiokafka(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level=settings.isolation_level,
        )
        await reader.start()
        try:
            partitions = reader.assignment()
            behind = await reader.end_offsets(partitions)
            while not self.should_stop:
                for tp in list(behind):
                    if await reader.position(tp) >= behind[tp]:
                        del behind[tp]
                if not behind and not self.complete.is_set():
                    self.log.info("%s is read: %d updates", self.topic, self.table.updates.applied)
                    self.complete.set()
                for records in (await reader.getmany(timeout_ms=200)).values():
                    self.table.process(records)
                    self._state.commit()
        finally:
            await reader.stop()

    @property
    def label(self) -> str:
        """What the service is called in logs."""
        return f"Global table of {self.topic}"


@dataclasses.dataclass(frozen=True)
class GlobalJoin:
    """A stream-table join whose table is a global one."""

    join: StreamTableJoin
    table: TopicGlobalTable

    def start(self, state: State) -> Operator[Joined]:
        """Begin, or go on, with what the state holds."""
        earlier(state, self)
        return self.join.start(state, self.table.table)

    @property
    def tables(self) -> frozenset[int]:
        """The sources whose records are rows of a table."""
        return frozenset()

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared: nothing of the table is in it."""
        return Declared("a join of a stream with a global table", {})

    def written_by(self, declared: Declared) -> GlobalJoin:
        """Return the join that wrote a state."""
        return self

    def take_over(self, was: GlobalJoin) -> list[str]:
        """Return what may be missing in the results: nothing."""
        return []
