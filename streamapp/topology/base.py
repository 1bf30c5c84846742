"""The app, as far as joins are declared on it: which there are, and what they share."""

from __future__ import annotations

from collections.abc import Callable

from streamapp.explain.explainer import ANSWER_TIMEOUT_S, ExplainedJoin, Explainer
from streamapp.formats.serde import Read
from streamapp.joins import Record
from streamapp.kafka.log_reader import Log
from streamapp.runtime.cycles import Flow
from streamapp.settings import Settings
from streamapp.topology.global_table import GlobalJoin, TopicGlobalTable
from streamapp.topology.processor import JoinProcessor
from streamapp.worker.app import App

__all__ = ["JoiningApp"]


class JoiningApp(App):
    """A Faust app made from settings, with joins."""

    def __init__(self, settings: Settings, **options: object) -> None:
        #: The joins that are a part of this app.
        self.joins: list[JoinProcessor[object]] = []
        #: From which topics to which records are repartitioned.
        self.repartitions: list[Flow] = []
        #: What runs steps without a state, by the topics that it reads, and whether all their partitions go together.
        self.step_agents: dict[tuple[tuple[str, ...], bool], object] = {}
        #: Of the topics between the two sides of a foreign key, the one that the records of each are made of.
        self.derived: dict[str, str] = {}
        #: What answers questions about the records of joins, by the joins' names.
        self.explainers: dict[str, Explainer] = {}
        self._global_tables: dict[tuple[str, Callable[[Record], None] | None], TopicGlobalTable] = {}
        super().__init__(settings, **options)

    def explain(self, join: ExplainedJoin) -> None:
        """Have a join answer questions about its records."""
        self.explainers[join.name] = Explainer(lambda: Log(self.settings, ANSWER_TIMEOUT_S), join)

    def global_table(
        self, topic: str, check: Callable[[Record], None] | None = None, read: Read | None = None
    ) -> TopicGlobalTable:
        """Return the global table of a topic, by its full name; there is one of each topic and check."""
        self.declared.read(topic)
        if (topic, check) not in self._global_tables:
            self._global_tables[topic, check] = TopicGlobalTable(self, topic, check, read)
        return self._global_tables[topic, check]

    @property
    def global_tables(self) -> list[TopicGlobalTable]:
        """The global tables."""
        return list(self._global_tables.values())

    async def on_start(self) -> None:
        """Begin to read the global tables, too."""
        await super().on_start()
        for table in self.global_tables:
            await self.add_runtime_dependency(table)

    def merges(self) -> list[tuple[str, ...]]:
        """Give the topics that are joined, for each join, and those that are merged."""
        return [*(join.topics for join in self.joins), *(topics for topics, _ in self.step_agents if len(topics) > 1)]

    def topics_read(self) -> set[str]:
        """Return the topics that agents read, and those of global tables that are joined."""
        joins: list[object] = [each.join for each in self.joins]
        return super().topics_read().union(join.table.topic for join in joins if isinstance(join, GlobalJoin))

    def flows(self) -> list[Flow]:
        """Return from which topics the joins read, and to which they send."""
        return [*(join.flow for join in self.joins), *self.repartitions]

    def problems(self) -> list[str]:
        """Return what is wrong with this worker, although it runs: joins whose balance does not hold, too."""
        return [*super().problems(), *(problem for join in self.joins for problem in join.accounts.problems)]
