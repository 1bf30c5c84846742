"""What an app, or a group of ``streamapp join``, has on the broker: topics that it reads, and those of its own."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from streamapp.joins.declared import Declared
from streamapp.worker.table import Table

if TYPE_CHECKING:
    from streamapp.topology.app import App

__all__ = ["Inventory", "State", "of_app", "of_group", "sources"]


@dataclasses.dataclass(frozen=True)
class State:
    """A table of an app."""

    #: Of the table, and of the topic that has its changes.
    table: str
    changelog: str
    #: The topics that are read for it.
    topics: frozenset[str]
    #: What the join is declared as; None = it is no join's, or that is not known.
    declared: Declared | None = None


@dataclasses.dataclass(frozen=True)
class Inventory:
    """What belongs to a group."""

    group: str
    #: The topics that it reads which are somebody else's.
    inputs: frozenset[str]
    #: Those of them whose records are rows of tables.
    tables: frozenset[str]
    #: Topics of its own between its agents.
    internal: frozenset[str]
    states: tuple[State, ...]

    def together(self, topics: Collection[str]) -> set[str]:
        """Return all inputs that go into the same states as some topics, and so on."""
        found = set(topics)
        while more := {topic for state in self.states if state.topics & found for topic in state.topics} - found:
            found |= more
        return found & self.inputs


def of_app(app: App) -> Inventory:
    """Return what belongs to an app, by what it declares."""
    inputs, internal = sources(app)
    tables = {topic for before in app.declared.inputs.values() for topic in before}
    states = []
    for join in app.joins:
        topics = frozenset(_root(app, topic) for topic in join.topics)
        tables |= {_root(app, topic) for topic in join.tables}
        states.append(_state(app, join.name, topics, join.join.declared()))
        states += [_state(app, table.name, topics, None) for table in join.row_tables.values()]
    owned = {state.table for state in states}
    plain = [table.name for table in app.tables.values() if isinstance(table, Table) and table.name not in owned]
    others = inputs - {topic for state in states for topic in state.topics} or inputs
    states += [_state(app, name, frozenset(others), None) for name in plain]
    return Inventory(app.conf.id, inputs, frozenset(tables & inputs), internal, tuple(states))


def sources(app: App) -> tuple[frozenset[str], frozenset[str]]:
    """Return the topics that an app reads: those of others, and those between its agents."""
    internal = frozenset(output.topic for output in app.declared.internal.values())
    return frozenset(_root(app, topic) for topic in app.declared.inputs), internal


def of_group(group: str, topics: Collection[str], existing: Collection[str], prefix: str) -> Inventory:
    """Return what belongs to a group of ``streamapp join``, by how that names it.

    Args:
        group: its id.
        topics: that it has committed offsets of.
        existing: all topics of the cluster.
        prefix: of the names of topics (``STREAMAPP_TOPIC_PREFIX``).
    """
    internal = frozenset(name for name in topics if name.startswith(f"{group}-") and name.endswith("-repartition"))
    inputs = frozenset(topics) - internal
    names = [topic.removeprefix(prefix) for topic in sorted(topics)]
    tables = [*names, *(f"{left}-{right}-join" for left, right in itertools.product(names, repeat=2))]
    changelogs = {table: f"{group}-{table}-changelog" for table in tables}
    states = [State(table, changelog, inputs) for table, changelog in changelogs.items() if changelog in existing]
    return Inventory(group, inputs, frozenset(), internal, tuple(states))


def with_declared(inventory: Inventory, declared: Mapping[str, tuple[Declared | None, Collection[str]]]) -> Inventory:
    """Return it with what the changelogs say of the joins, and of the topics that they take for tables."""
    states = tuple(
        dataclasses.replace(state, declared=declared.get(state.changelog, (None, ()))[0]) for state in inventory.states
    )
    tables = {topic for _, topics in declared.values() for topic in topics}
    return dataclasses.replace(inventory, states=states, tables=frozenset(tables) & inventory.inputs)


def _state(app: App, table: str, topics: frozenset[str], declared: Declared | None) -> State:
    return State(table, f"{app.conf.id}-{table}-changelog", topics, declared)


def _root(app: App, topic: str) -> str:
    """Return the topic of somebody else that the records of one of our own come from."""
    origins = {**app.declared.hops, **app.derived}
    while topic in origins:
        topic = origins[topic]
    return topic
