"""A start of a worker, as far as it has got: what each check looks at, and what it leaves to those after it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property

from streamapp.kafka.admin import Cluster
from streamapp.worker.app import App

__all__ = ["Check", "Start"]


@dataclasses.dataclass
class Start:
    """What is known before a worker joins its group."""

    app: App
    #: The partitions of every topic that exists, listed once: each listing is of all topics of the cluster.
    existing: dict[str, int] = dataclasses.field(default_factory=dict)
    #: Those of the topics that are read, and of the tables' changelogs.
    inputs: dict[str, int] = dataclasses.field(default_factory=dict)
    changelogs: dict[str, int] = dataclasses.field(default_factory=dict)

    @cached_property
    def cluster(self) -> Cluster:
        """The topics of the cluster, which is asked by no check of the host."""
        return Cluster(self.app.settings)

    @property
    def first(self) -> str:
        """The topic that is read first; empty = none is."""
        return next(iter(self.inputs), "")

    @property
    def events(self) -> str:
        """The topic that Faust's own tables, and its topics between agents, go with: one that is read by event."""
        return next(iter(self.app.event_topics()), self.first)

    def count(self, topic: str) -> int:
        """Return how many partitions a topic that is read has; of any other one, as many as the first has."""
        return self.inputs.get(topic, self.inputs.get(self.first, self.app.settings.partitions))


#: Looks at one thing, and may make it; raises a `StreamappError` of one line if the worker cannot start.
Check = Callable[[Start], None]
