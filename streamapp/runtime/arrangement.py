"""Arrangement: what the schemas of an app's topics say together of how records go to the agents."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Self

from streamapp.runtime.alignment import groups
from streamapp.runtime.batch import Batch, BatchSchema

__all__ = ["Arrangement"]


@dataclasses.dataclass(frozen=True)
class Arrangement:
    """How the topics whose agents get batches go together."""

    #: The topics whose agents get batches.
    batched: Collection[str] = frozenset()
    #: For each topic, those that are joined, itself among them (`groups`).
    joined: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    #: Topics whose agent merges them with those that they are joined with.
    merged: Collection[str] = frozenset()
    #: Topics of which all partitions go together.
    whole: Collection[str] = frozenset()
    #: By topic, what is to be told of each batch that begins to wait for its agent.
    ahead: Mapping[str, Sequence[Callable[[Batch], None]]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, topics: Iterable[Any]) -> Self:
        """Return that of Faust topics; those without a `BatchSchema` have no part in it."""
        schemas = [(topic.topics, topic.schema) for topic in topics if isinstance(topic.schema, BatchSchema)]
        after: dict[str, set[str]] = {}
        ahead: defaultdict[str, list[Callable[[Batch], None]]] = defaultdict(list)
        for names, schema in schemas:
            for name in names:
                after.setdefault(name, set()).update(schema.after)
                ahead[name] += schema.ahead
        joined = groups(after, [names for names, schema in schemas if schema.merged])
        # Agents that go one after the other get one batch at a time.
        apart = {other for topic, others in after.items() if others for other in joined[topic]}
        whole = {name for names, schema in schemas if schema.whole for name in names if joined[name] == (name,)}
        return cls(frozenset(after), joined, after.keys() - apart, whole, ahead)
