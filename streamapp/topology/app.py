"""The app whose topics can be joined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from streamapp.batching.app import App as BatchingApp
from streamapp.joins import Record, Refused
from streamapp.settings import Settings
from streamapp.topology.explainer import Explained, Explainer
from streamapp.topology.global_table import TopicGlobalTable
from streamapp.topology.processor import JoinProcessor
from streamapp.topology.stream import Stream
from streamapp.topology.topic import Topic

__all__ = ["App"]


class App(BatchingApp):
    """A Faust app made from settings, whose topics can be joined.

    Args:
        settings: where the broker is, how tables are kept, and so on.
        options: further options of `faust.App`.
    """

    def __init__(self, settings: Settings, **options: Any) -> None:
        #: The joins that are a part of this app.
        self.joins: list[JoinProcessor[Any]] = []
        #: What answers questions about the records of joins, by the joins' names.
        self.explainers: dict[str, Explainer] = {}
        self._global_tables: dict[str, TopicGlobalTable] = {}
        super().__init__(settings, **{"Topic": Topic, "Stream": Stream, **options})

    def batches(self, name: str, *, after: tuple[str, ...] = (), type: Any = None) -> Topic:  # noqa: A002
        """Declare a topic whose agents get batches, and which can be joined.

        Args:
            name: the topic's name without the prefix.
            after: topics that are read first, partition by partition, as far as the broker has them.
            type: what the JSON of a value must be, for msgspec, if it is to be joined; None = anything.
        """
        topic: Topic = super().batches(name, after=after)
        topic.check = None if type is None else _check(type)
        return topic

    def explain(self, join: Explained) -> None:
        """Have a join answer questions about its records."""
        self.explainers[join.name] = Explainer(self, join)

    def global_table(self, topic: str) -> TopicGlobalTable:
        """Give the global table of a topic, by its full name; there is one of each."""
        if topic not in self._global_tables:
            self._global_tables[topic] = TopicGlobalTable(self, topic)
        return self._global_tables[topic]

    async def on_start(self) -> None:
        """Begin to read the global tables, too."""
        await super().on_start()
        for table in self._global_tables.values():
            await self.add_runtime_dependency(table)

    def merges(self) -> list[tuple[str, ...]]:
        """Give the topics that are joined, for each join."""
        return [join.topics for join in self.joins]

    def problems(self) -> list[str]:
        """Return what is wrong with this worker, although it runs: joins whose balance does not hold, too."""
        return [*super().problems(), *(problem for join in self.joins for problem in join.accounts.problems)]


def _check(type_: Any) -> Callable[[Record], None]:
    """Make what refuses records whose value is not JSON of a type; tombstones are not looked at."""
    decode = msgspec.json.Decoder(type_).decode

    def check(record: Record) -> None:
        try:
            if record.value is not None:
                decode(record.value)
        except msgspec.DecodeError as exc:
            raise Refused(str(exc)) from None

    return check
