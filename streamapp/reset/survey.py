"""The survey before a new start: what there is, and what would become of it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec
from faust.types import TP

from streamapp.joins.declared import DECLARED, Declared
from streamapp.kafka.admin import SPEC, Cluster
from streamapp.kafka.consumer_group import ConsumerGroup
from streamapp.kafka.log_reader import Log
from streamapp.reset.inventory import Inventory, State, of_app, of_group, windows_of
from streamapp.reset.plan import Emptied, Move, Plan, ResetError, check_clocks, chosen, places
from streamapp.reset.where import Kind, Where
from streamapp.settings import REDIS
from streamapp.topology.app import App
from streamapp.topology.provenance import TAKEN, Provenance

__all__ = ["SILENCE_S", "Survey", "databases", "find_offsets"]

#: Seconds without a record after which a broker is taken for one that does not answer.
SILENCE_S: Final = 30.0


class Survey:
    """Looks at a group.

    Args:
        app: whose settings say where the broker is.
        group: its id; that of the app, or of a ``streamapp join`` or ``window``.

    Raises:
        ResetError: by all methods, for what cannot be.
        ClusterError: if the broker is not there.
    """

    def __init__(self, app: App, group: str) -> None:
        self.settings = app.settings
        self.cluster = Cluster(self.settings)
        self.group = ConsumerGroup(self.cluster, group)
        #: The number of partitions of each topic of the cluster.
        self.counts = self.cluster.partitions()
        committed = self.group.committed()
        #: What is committed of any of them.
        self.committed = {tp: committed[tp][0] for tp in self.partitions(self.counts) if tp in committed}
        self.inventory = of_app(app) if group == app.conf.id else self._of_group(group)
        datadir, tabledir = Path(app.conf.datadir), Path(app.conf.tabledir)
        # That of a `streamapp join` or `window` is in a directory of its own.
        self._tabledir = tabledir if group == app.conf.id else datadir / group / tabledir.relative_to(datadir)

    def _of_group(self, group: str) -> Inventory:
        topics = {tp.topic for tp in self.committed}
        if not topics:
            raise ResetError(
                f"the group {group} has committed nothing: no worker of it has run yet, or it has another id"
            )
        found = of_group(group, topics, self.counts, self.settings.topic_prefix)
        # The tables that one joins with say nothing of themselves.
        windows = windows_of(group)
        read = [
            self._read(state) if state.table.endswith("-join") or state.table in windows else (state, ())
            for state in found.states
        ]
        tables = {_source(group, topic) for _, tables in read for topic in tables}
        return dataclasses.replace(found, states=tuple(state for state, _ in read), tables=found.inputs & tables)

    def _read(self, state: State) -> tuple[State, Collection[str]]:
        """Read a changelog for what the join is declared as, and for the topics that it takes for tables."""
        declared: Declared | None = None
        provenance: Provenance | None = None
        with Log(self.settings, SILENCE_S) as log:
            for record in (record for tp in self.partitions([state.changelog]) for record in log.all(tp)):
                if record.value is not None and record.key == DECLARED:
                    declared = msgspec.json.decode(record.value, type=Declared)
                elif record.value is not None and record.key == TAKEN:
                    provenance = Provenance.decode(record.value)
                if declared is not None and provenance is not None:
                    break
        return dataclasses.replace(state, declared=declared), () if provenance is None else provenance.tables

    def partitions(self, topics: Iterable[str]) -> list[TP]:
        """Return all partitions of topics."""
        return [TP(topic, number) for topic in topics for number in range(self.counts[topic])]

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
        offsets = find_offsets(self.cluster, {tp: wheres[tp.topic] for tp in sorted(tps)})
        moves = [Move(tp, self.committed.get(tp), offset) for tp, offset in offsets.items()]
        if not keep_state:
            return self._emptying(moves, found, notes)
        check_clocks(inventory, moves)
        left = sorted(inventory.tables - found)
        notes += [f"{topic} is a table, whose rows are kept: it is read on from where it is" for topic in left]
        return Plan(inventory.group, moves, notes)

    def _emptying(self, moves: list[Move], topics: Collection[str], notes: list[str]) -> Plan:
        states = self.inventory.states_of(topics)
        changelogs = [self._emptied(state.changelog) for state in states if state.changelog in self.counts]
        internal = [self._emptied(topic) for topic in sorted(self.inventory.internal) if topic in self.counts]
        notes = notes if changelogs else [*notes, "there is no state of it on the broker"]
        directories = databases(self._tabledir, [state.table for state in states])
        redis = [
            f"{self.group.name}:{state.table}:{number}"
            for state in states
            if self.settings.store.startswith(REDIS)
            for number in range(self.counts.get(state.changelog, 0))
        ]
        return Plan(self.group.name, moves, notes, changelogs, internal, directories, redis)

    def _emptied(self, topic: str) -> Emptied:
        tps = self.partitions([topic])
        begins, ends = (self.cluster.offsets(tps, spec) for spec in (SPEC.earliest(), SPEC.latest()))
        return Emptied(topic, len(tps), sum(ends[tp].offset - begins[tp].offset for tp in tps))


def find_offsets(cluster: Cluster, places: Mapping[TP, Where]) -> dict[TP, int]:
    """Return the offsets of places; of a time that of the first record which is not older, or the end.

    Raises:
        ResetError: for an offset that there is not.
        ClusterError: if the broker refuses.
    """
    begins, ends = (cluster.offsets(places, spec) for spec in (SPEC.earliest(), SPEC.latest()))
    times = {place.value for place in places.values() if place.kind is Kind.TIME}
    since = {at: cluster.offsets(places, SPEC.for_timestamp(at)) for at in times}
    found = {}
    for tp, place in places.items():
        begin, end = begins[tp].offset, ends[tp].offset
        match place.kind:
            case Kind.BEGINNING:
                found[tp] = begin
            case Kind.NOW:
                found[tp] = end
            case Kind.TIME:
                at = since[place.value][tp].offset
                found[tp] = at if at >= 0 else end
            case Kind.OFFSET:
                if not begin <= place.value <= end:
                    raise ResetError(f"{tp.topic}[{tp.partition}] has offsets {begin} to {end}, and not {place.value}")
                found[tp] = place.value
    return found


def databases(tabledir: Path, tables: Iterable[str]) -> list[Path]:
    """Return the databases of tables on this machine."""
    named = "|".join(map(re.escape, tables))
    pattern = re.compile(rf"({named})-\d+\.rocksdb(\.removed)?")
    return sorted(path for path in tabledir.glob("*") if pattern.fullmatch(path.name))


def _source(group: str, topic: str) -> str:
    """Return the topic that the records of a repartition topic are from."""
    found = re.fullmatch(rf"{re.escape(group)}-(.+)-by-.+-repartition", topic)
    return topic if found is None else found[1]
