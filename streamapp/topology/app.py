"""The app whose topics can be joined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from streamapp.batching.app import App as BatchingApp
from streamapp.batching.content import Undecodable, json_of
from streamapp.batching.value_forms import not_json
from streamapp.cycles import Flow
from streamapp.joins import Record, Refused
from streamapp.settings import Settings
from streamapp.topology.explainer import Explained, Explainer
from streamapp.topology.global_table import GlobalJoin, TopicGlobalTable
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
        #: From which topics to which records are repartitioned.
        self.repartitions: list[Flow] = []
        #: Of the topics between the two sides of a foreign key, the one that the records of each are made of.
        self.derived: dict[str, str] = {}
        #: What answers questions about the records of joins, by the joins' names.
        self.explainers: dict[str, Explainer] = {}
        self._global_tables: dict[tuple[str, Any], TopicGlobalTable] = {}
        options = {
            "Topic": Topic,
            "Stream": Stream,
            # By its name, since it knows of more than this package: it makes and checks the topics first.
            "Worker": "streamapp.worker:Worker",
            # Faust's own `reset` keeps offsets and changelogs; ours takes its place in the app's command line.
            "autodiscover": ["streamapp.cli.reset", "streamapp.cli.rename"],
            **options,
        }
        super().__init__(settings, **options)

    def batches(
        self,
        name: str,
        *,
        after: tuple[str | Topic, ...] = (),
        create: bool = False,
        type: Any = None,  # noqa: A002
    ) -> Topic:
        """Declare a topic whose agents get batches, and which can be joined.

        Args:
            name: the topic's name without the prefix.
            after: topics that are read first, partition by partition, as far as the broker has them.
            create: whether the topic is this app's own, and is made if it is missing (``STREAMAPP_CREATE``).
            type: what the JSON of a value must be, for msgspec, if it is to be joined; None = anything.
        """
        topic: Topic = super().batches(name, after=after, create=create)
        topic.check = None if type is None else _check(type)
        return topic

    def explain(self, join: Explained) -> None:
        """Have a join answer questions about its records."""
        self.explainers[join.name] = Explainer(self, join)

    def global_table(self, topic: str, check: Callable[[Record], None] | None = None) -> TopicGlobalTable:
        """Give the global table of a topic, by its full name; there is one of each topic and check.

        Args:
            topic: full name.
            check: raises `Refused` for a record that cannot be used; None = all can.
        """
        if (topic, check) not in self._global_tables:
            self._global_tables[topic, check] = TopicGlobalTable(self, topic, check)
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
        """Give the topics that are joined, for each join."""
        return [join.topics for join in self.joins]

    def topics_read(self) -> set[str]:
        """Return the topics that agents read, and those of global tables that are joined."""
        tables = (join.join.table.topic for join in self.joins if isinstance(join.join, GlobalJoin))
        return super().topics_read().union(tables)

    def flows(self) -> list[Flow]:
        """Return from which topics the joins read, and to which they send."""
        return [*(join.flow for join in self.joins), *self.repartitions]

    def problems(self) -> list[str]:
        """Return what is wrong with this worker, although it runs: joins whose balance does not hold, too."""
        return [*super().problems(), *(problem for join in self.joins for problem in join.accounts.problems)]


def _check(type_: Any) -> Callable[[Record], None]:
    """Make what refuses records whose value is not JSON of a type; tombstones are not looked at."""
    decode = msgspec.json.Decoder(type_).decode

    def check(record: Record) -> None:
        try:
            if record.value is not None:
                decode(json_of(record))
        except Undecodable as exc:
            raise Refused(str(exc), exc.reason) from None
        except msgspec.ValidationError as exc:
            cause = "missing_field" if "missing required field" in str(exc) else "wrong_type"
            raise Refused(not_json(exc, record.value or b""), cause) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise Refused(not_json(exc, record.value or b""), "not_json") from None

    return check
