"""The survey before a new start: what there is, and what would become of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from faust.types import TP

from streamapp.kafka.admin import Cluster
from streamapp.reset.changelog import declaration
from streamapp.reset.errors import ResetError
from streamapp.reset.group import Group
from streamapp.reset.inventory import Inventory, of_app, of_group, with_declared
from streamapp.reset.plan import Emptied, Move, Plan, check_clocks, chosen, places, states
from streamapp.reset.stores import directories
from streamapp.reset.where import Where
from streamapp.settings import REDIS, Settings

if TYPE_CHECKING:
    from streamapp.topology.app import App

__all__ = ["Survey"]


class Survey:
    """Looks at a group.

    Args:
        app: whose settings say where the broker is.
        group: its id; that of the app, or of a ``streamapp join``.

    Raises:
        ResetError: by all methods, for what cannot be.
        ClusterError: if the broker is not there.
    """

    def __init__(self, app: App, group: str) -> None:
        self.settings: Settings = app.settings
        self.cluster = Cluster(self.settings)
        self.group = Group(self.settings, self.cluster, group)
        #: The number of partitions of each topic of the cluster.
        self.counts = self.cluster.partitions()
        #: What is committed of any topic.
        self.committed = self.group.committed(_partitions(self.counts, self.counts))
        self.inventory = of_app(app) if group == app.conf.id else self._of_group(group)
        datadir, tabledir = Path(app.conf.datadir), Path(app.conf.tabledir)
        # That of a `streamapp join` is in a directory of its own.
        self._tabledir = tabledir if group == app.conf.id else datadir / group / tabledir.relative_to(datadir)

    def _of_group(self, group: str) -> Inventory:
        topics = {tp.topic for tp in self.committed}
        if not topics:
            raise ResetError(
                f"the group {group} has committed nothing: no worker of it has run yet, or it has another id"
            )
        found = of_group(group, topics, self.counts, self.settings.topic_prefix)
        declared = {}
        for state in found.states:
            if not state.table.endswith("-join"):
                continue  # it is a table that one joins with, and says nothing of itself
            what, provenance = declaration(self.settings, state.changelog, self.counts[state.changelog])
            tables = () if provenance is None else provenance.tables
            declared[state.changelog] = what, [_source(group, topic) for topic in tables]
        return with_declared(found, declared)

    def plan(self, where: Where, topics: Mapping[str, Collection[int]], *, keep_state: bool) -> Plan:
        """Return what a new start does.

        Args:
            where: from where input is read.
            topics: that the user named, with partitions; none = all.
            keep_state: whether the states stay as they are.
        """
        inventory = self.inventory
        found = chosen(inventory, topics, keep_state=keep_state)
        if missing := found - self.counts.keys():
            raise ResetError(f"{', '.join(sorted(missing))}: there is no such topic")
        wheres, notes = places(inventory, found, where, named=bool(topics))
        tps = {TP(topic, number) for topic in found for number in topics.get(topic) or range(self.counts[topic])}
        if beyond := [tp for tp in sorted(tps) if tp.partition >= self.counts[tp.topic]]:
            raise ResetError(f"{beyond[0].topic} has {self.counts[beyond[0].topic]} partitions")
        moves = self._moves({tp: wheres[tp.topic] for tp in sorted(tps)})
        if keep_state:
            check_clocks(inventory, moves)
            left = sorted(inventory.tables - found)
            notes += [f"{topic} is a table, whose rows are kept: it is read on from where it is" for topic in left]
            return Plan(inventory.group, moves, [], [], [], [], notes)
        return self._emptying(moves, found, notes)

    def _moves(self, wheres: Mapping[TP, Where]) -> list[Move]:
        offsets = self.group.find(wheres)
        return [Move(tp, self.committed.get(tp), offset) for tp, offset in offsets.items()]

    def _emptying(self, moves: list[Move], topics: Collection[str], notes: list[str]) -> Plan:
        inventory = self.inventory
        kept = states(inventory, topics)
        changelogs = [self._emptied(state.changelog) for state in kept if state.changelog in self.counts]
        internal = [self._emptied(topic) for topic in sorted(inventory.internal) if topic in self.counts]
        if inventory.internal and (other := inventory.inputs - set(topics)):
            raise ResetError(f"there are topics between agents, so all input is read anew: name {', '.join(other)} too")
        if not changelogs:
            notes = [*notes, "there is no state of it on the broker"]
        redis = [
            f"{inventory.group}:{state.table}:{number}"
            for state in kept
            if self.settings.store.startswith(REDIS)
            for number in range(self.counts.get(state.changelog, 0))
        ]
        found = directories(self._tabledir, [state.table for state in kept])
        return Plan(inventory.group, moves, changelogs, internal, found, redis, notes)

    def _emptied(self, topic: str) -> Emptied:
        count = self.counts[topic]
        return Emptied(topic, count, self.group.records([TP(topic, number) for number in range(count)]))


def _partitions(topics: Collection[str], counts: Mapping[str, int]) -> list[TP]:
    return [TP(topic, number) for topic in topics for number in range(counts[topic])]


def _source(group: str, topic: str) -> str:
    """Return the topic that the records of a repartition topic are from."""
    found = re.fullmatch(rf"{re.escape(group)}-(.+)-by-.+-repartition", topic)
    return topic if found is None else found[1]
