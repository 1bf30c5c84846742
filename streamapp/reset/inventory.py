"""What an app, or a group of ``streamapp join`` or ``window``, has on the broker: what it reads, and its own topics."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection

from streamapp.joins.declared import Declared
from streamapp.topology.app import App
from streamapp.worker.table import Table

__all__ = ["Inventory", "State", "of_app", "of_group", "windows_of"]


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

    def states_of(self, topics: Collection[str]) -> list[State]:
        """Return the states that topics go into."""
        return [state for state in self.states if not state.topics.isdisjoint(topics)]


def of_app(app: App) -> Inventory:
    """Return what belongs to an app, by what it declares."""
    inputs = frozenset(_root(app, topic) for topic in app.declared.inputs)
    internal = frozenset(output.topic for output in app.declared.internal.values())
    tables = {topic for before in app.declared.inputs.values() for topic in before}
    states = []
    for join in app.joins:
        topics = frozenset(_root(app, topic) for topic in join.topics)
        tables |= {_root(app, topic) for topic in join.tables}
        states.append(State(join.name, f"{app.conf.id}-{join.name}-changelog", topics, join.join.declared()))
        states += [State(one.name, f"{app.conf.id}-{one.name}-changelog", topics) for one in join.row_tables.values()]
    owned = {state.table for state in states}
    plain = [table.name for table in app.tables.values() if isinstance(table, Table) and table.name not in owned]
    others = inputs - {topic for state in states for topic in state.topics} or inputs
    states += [State(name, f"{app.conf.id}-{name}-changelog", others) for name in plain]
    return Inventory(app.conf.id, inputs, inputs & tables, internal, tuple(states))


def of_group(group: str, topics: Collection[str], existing: Collection[str], prefix: str) -> Inventory:
    """Return what belongs to a group of ``streamapp join`` or ``window``, by how they name it.

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
    tables += [table for table in windows_of(group) if table not in tables]
    changelogs = {table: f"{group}-{table}-changelog" for table in tables}
    states = [State(table, changelog, inputs) for table, changelog in changelogs.items() if changelog in existing]
    return Inventory(group, inputs, frozenset(), internal, tuple(states))


def windows_of(group: str) -> list[str]:
    """Return what the windows of a group may be called: as the topic of the results, behind the id of the app."""
    return [group[at + 1 :] for at, letter in enumerate(group) if letter == "-"]


def _root(app: App, topic: str) -> str:
    """Return the topic of somebody else that the records of one of our own come from."""
    origins = {topic: firsts[0] for topic, firsts in app.declared.hops.items()} | app.derived
    while topic in origins:
        topic = origins[topic]
    return topic
