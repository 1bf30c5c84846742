"""What is to be moved where, and what keeps it from being moved."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from confluent_kafka import IsolationLevel
from faust.types import TP

from streamapp.joins.rows import Row
from streamapp.kafka.admin import SPEC, Cluster, ClusterError
from streamapp.kafka.log_reader import Log
from streamapp.kafka.partitioner import partition_of
from streamapp.kafka.partitioners import PARTITIONERS
from streamapp.worker.app import App
from streamapp.worker.growth import free_topics, moving_to
from streamapp.worker.table import OrderedTable, Table
from streamapp.worker.value_table import ValueTable

__all__ = ["SILENCE_S", "Move", "Plan", "make_plan", "move_of", "rows_of"]

#: Part of the rows that have to be where a partitioner puts them: some may be left where they were by an earlier move.
PLACED_SHARE: Final = 0.9
#: Seconds without a record after which a broker is taken for one that does not answer.
SILENCE_S: Final = 30.0


@dataclasses.dataclass(frozen=True)
class Move:
    """The rows of a table: those of `rows` that are `moved` from the partitions before to those after."""

    table: str
    changelog: str
    before: int
    after: int
    rows: int
    moved: int
    partitioner: str

    def place(self, key: bytes, count: int) -> int:
        """Return the partition of a key among so many."""
        return PARTITIONERS[self.partitioner](key, count)

    def __str__(self) -> str:
        return (
            f"{self.table}: {self.moved:,} of {self.rows:,} rows of {self.changelog} move, from {self.before} to "
            f"{self.after} partitions (keys are placed by {self.partitioner})"
        )


@dataclasses.dataclass
class Plan:
    """All that is to be done."""

    #: By topic, the partitions it has and those that it is to have.
    added: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)
    moves: list[Move] = dataclasses.field(default_factory=list)
    #: By topic, records that the group has not read yet, in partitions where their keys are no more; and these keys.
    unread: Counter[str] = dataclasses.field(default_factory=Counter)
    unread_keys: set[bytes] = dataclasses.field(default_factory=set)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to be done."""
        return not self.added and not self.moves

    def __iter__(self) -> Iterator[str]:
        for topic, (before, after) in self.added.items():
            yield f"{topic}: partitions are added, from {before} to {after}"
        yield from map(str, self.moves)
        for topic, count in self.unread.items():
            yield (
                f"{topic}: {count:,} records are not read yet that lie in the partitions where their keys were before"
            )


def make_plan(app: App, cluster: Cluster, partitions: int | None) -> Plan:
    """Find out what is to be done; nothing is changed.

    Args:
        partitions: that joined topics are to have; None = as many as they have, which must be equally many.

    Raises:
        ClusterError: if it cannot be done, and why.
        LogError: if the broker does not answer.
    """
    if joins := [table.name for table in app.row_tables if isinstance(table, OrderedTable)]:
        raise ClusterError(
            f"the state of a join cannot be moved ({', '.join(joins)}): it has a clock and accounts for each "
            "partition; `streamapp reset` starts it anew"
        )
    if values := [table.name for table in app.row_tables if isinstance(table, ValueTable)]:
        raise ClusterError(
            f"the rows of tables of Faust's cannot be moved ({', '.join(values)}): they are where the events were that "
            "they are of, whatever their keys; `streamapp reset` starts them anew"
        )
    existing, free = cluster.partitions(), free_topics(app)
    groups = [group for group in app.joined_topics() if not free.issuperset(group)]
    plan = Plan()
    with Log(app.settings, SILENCE_S) as log:
        for group in groups:
            there = {topic: existing[topic] for topic in group if topic in existing}
            after = _count(there, partitions)
            found = [
                _move(cluster, log, existing, table, source, after)
                for table in app.row_tables
                if (source := table.source or groups[0][0]) in group
            ]
            moves = [move for move in found if move is not None]
            added = {topic: (count, after) for topic, count in there.items() if count < after}
            plan.moves += moves
            plan.added |= added
            if moves or added:
                before = min([*(move.before for move in moves), *(count for count, _ in added.values())])
                place = moves[0].place if moves else partition_of
                tps = [TP(topic, number) for topic in there for number in range(before)]
                _look_for_unread(log, tps, place, after, plan)
    return plan


def rows_of(log: Log, changelog: TP) -> dict[bytes, Row]:
    """Return the rows of one partition of a changelog: of each key the last record, if it is no tombstone.

    Raises:
        LogError: if the broker does not answer.
    """
    last = {record.key: record for record in log.all(changelog) if record.key is not None}
    return {key: Row(record.value, record.timestamp) for key, record in last.items() if record.value is not None}


def _count(there: Mapping[str, int], partitions: int | None) -> int:
    most = max(there.values(), default=partitions or 0)
    told = " and ".join(f"{topic} has {count}" for topic, count in there.items())
    if partitions is not None and partitions < most:
        raise ClusterError(f"Kafka takes no partitions away, and {told}: --partitions must be {most} at least")
    if partitions is None and len(set(there.values())) > 1:
        raise ClusterError(
            f"{told}: joined topics need equally many, and --partitions {most} adds those that are missing"
        )
    return partitions or most


def _move(
    cluster: Cluster, log: Log, existing: Mapping[str, int], table: Table, source: str, after: int
) -> Move | None:
    changelog = table.changelog_topic_name
    moving = moving_to(changelog)
    before = existing.get(moving, existing.get(changelog, after))
    if changelog not in existing:
        return None
    if added := before == after and moving not in existing:
        # Somebody may have added partitions to the changelog, too, and no worker has run since.
        before = log.partitions_read(source, after)
        if before == after or any(rows_of(log, TP(changelog, number)) for number in range(before, after)):
            return None
    if before > after:
        raise ClusterError(f"{changelog} has {before} partitions, and Kafka takes none away: --partitions {before}")
    tps = [TP(changelog, number) for number in range(existing[changelog])]
    levels = (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED)
    committed, everything = (cluster.offsets(tps, SPEC.latest(), level) for level in levels)
    if any(committed[tp].offset != everything[tp].offset for tp in tps):
        # Of a worker that was killed amid one, something may be to come.
        raise ClusterError(f"a transaction is open in {changelog}: try again once the broker has ended it")
    keys = [(key, number) for number in range(before) for key in rows_of(log, TP(changelog, number))]
    move = move_of(table.name, changelog, keys, before, after)
    return move if move.moved or not added else None


def move_of(table: str, changelog: str, keys: Sequence[tuple[bytes, int]], before: int, after: int) -> Move:
    """Return how the rows of a table move.

    Args:
        keys: of its rows, with the partitions that they are in.
        before: the partitions that there were.
        after: the partitions that there are to be.

    Raises:
        ClusterError: if it is not known how the keys are placed.
    """
    # What an earlier try has moved already is where it is to be.
    moved = {
        name: [(key, number) for key, number in keys if place(key, after) != number]
        for name, place in PARTITIONERS.items()
    }
    misplaced = {
        name: sum(place(key, before) != number for key, number in moved[name]) for name, place in PARTITIONERS.items()
    }
    partitioner = min(misplaced, key=misplaced.__getitem__)
    if misplaced[partitioner] > (1 - PLACED_SHARE) * len(keys):
        raise ClusterError(
            f"the keys of {changelog} are placed neither by {' nor by '.join(PARTITIONERS)}: where they are to be "
            f"among {after} partitions is not known, and `streamapp reset` reads the table anew"
        )
    return Move(table, changelog, before, after, len(keys), len(moved[partitioner]), partitioner)


def _look_for_unread(log: Log, tps: Sequence[TP], place: Callable[[bytes, int], int], after: int, plan: Plan) -> None:
    committed = log.committed(tps)
    for tp in tps:
        for record in log.all(tp, committed.get(tp, 0)):
            if record.key is not None and place(record.key, after) != tp.partition:
                plan.unread[tp.topic] += 1
                plan.unread_keys.add(record.key)
