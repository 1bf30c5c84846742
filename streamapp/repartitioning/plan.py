"""What is to be moved where, and what keeps it from being moved."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import OffsetSpec
from faust.types import TP

from streamapp.cluster import Cluster, ClusterError
from streamapp.copartition import changelog_of, partitions_read, tables_of
from streamapp.growth import free_topics, moving_to
from streamapp.log import Log
from streamapp.placement import PARTITIONERS
from streamapp.repartitioning.rows import rows_of
from streamapp.stores.table import OrderedTable

if TYPE_CHECKING:
    from streamapp.batching.app import App

__all__ = ["Move", "Plan", "Unread", "make_plan"]

#: Part of the rows that have to be where a partitioner puts them: some may be left where they were by an earlier move.
MOST: Final = 0.9
#: Seconds that all is read in.
PATIENCE_S: Final = 86_400.0
#: confluent-kafka (2.16) says nothing of what these methods give.
SPEC: Final[Any] = OffsetSpec
ANSWER_S: Final = 10.0

Place = Callable[[bytes, int], int]


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


@dataclasses.dataclass(frozen=True)
class Unread:
    """Records that the group has not read yet, in partitions where their keys are no more."""

    counts: Mapping[str, int]
    keys: frozenset[bytes]


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that is to be done."""

    #: By topic, the partitions it has and those that it is to have.
    added: Mapping[str, tuple[int, int]]
    moves: Sequence[Move]
    unread: Unread

    @property
    def empty(self) -> bool:
        """Whether there is nothing to be done."""
        return not self.added and not self.moves

    def __iter__(self) -> Iterator[str]:
        for topic, (before, after) in self.added.items():
            yield f"{topic}: partitions are added, from {before} to {after}"
        yield from map(str, self.moves)
        for topic, count in self.unread.counts.items():
            yield (
                f"{topic}: {count:,} records are not read yet that lie in the partitions where their keys were before"
            )


def make_plan(app: App, cluster: Cluster, partitions: int | None) -> Plan:
    """Find out what is to be done; nothing is changed.

    Args:
        app: whose tables they are.
        cluster: where its topics are.
        partitions: that joined topics are to have; None = as many as they have, which must be equally many.

    Raises:
        ClusterError: if it cannot be done, and why.
    """
    if joins := [table.name for table in tables_of(app) if isinstance(table, OrderedTable)]:
        raise ClusterError(
            f"the state of a join cannot be moved ({', '.join(joins)}): it has a clock and accounts for each "
            "partition; `streamapp reset` starts it anew"
        )
    existing, free = cluster.partitions(), free_topics(app)
    groups = [group for group in app.joined_topics() if not free.issuperset(group)]
    added: dict[str, tuple[int, int]] = {}
    moves: list[Move] = []
    unread: Counter[str] = Counter()
    keys: set[bytes] = set()
    with Log(app.settings, PATIENCE_S) as log:
        for group in groups:
            count = _count(group, existing, partitions)
            found = [
                _move(cluster, log, existing, table.name, changelog_of(app, table), count, source)
                for table in tables_of(app)
                if (source := table.source or groups[0][0]) in group
            ]
            moves += (mine := [move for move in found if move is not None])
            lacking = {topic: (existing[topic], count) for topic in group if existing.get(topic, count) < count}
            added |= lacking
            if mine or lacking:
                before = min([*(move.before for move in mine), *(has for has, _ in lacking.values())])
                place = mine[0].place if mine else _murmur2
                _look_for_unread(log, [t for t in group if t in existing], (before, count), place, unread, keys)
    return Plan(added, moves, Unread(unread, frozenset(keys)))


def _count(group: Sequence[str], existing: Mapping[str, int], partitions: int | None) -> int:
    counts = {topic: existing[topic] for topic in group if topic in existing}
    most = max(counts.values(), default=partitions or 0)
    told = " and ".join(f"{topic} has {count}" for topic, count in counts.items())
    if partitions is not None and partitions < most:
        raise ClusterError(f"Kafka takes no partitions away, and {told}: --partitions must be {most} at least")
    if partitions is None and len(set(counts.values())) > 1:
        raise ClusterError(
            f"{told}: joined topics need equally many, and --partitions {most} adds those that are missing"
        )
    return partitions or most


def _move(
    cluster: Cluster, log: Log, existing: Mapping[str, int], table: str, changelog: str, count: int, source: str
) -> Move | None:
    moving = moving_to(changelog)
    before = existing.get(moving, existing.get(changelog, count))
    if changelog not in existing:
        return None
    if before == count and moving not in existing:
        # Somebody may have added partitions to the changelog, too, and no worker has run since.
        before = partitions_read(log, source, count)
        if any(rows_of(log, TP(changelog, number)) for number in range(before, count)) or before == count:
            return None
    if before > count:
        raise ClusterError(f"{changelog} has {before} partitions, and Kafka takes none away: --partitions {before}")
    _check_transactions(cluster, changelog, existing[changelog])
    found: Counter[str] = Counter()
    moved: Counter[str] = Counter()
    rows = 0
    for number in range(before):
        for key in rows_of(log, TP(changelog, number)):
            rows += 1
            for name, place in PARTITIONERS.items():
                # What an earlier try has moved already is where it is to be.
                is_there = place(key, count) == number
                found[name] += is_there or place(key, before) == number
                moved[name] += not is_there
    partitioner = max(PARTITIONERS, key=lambda name: found[name])
    if moving not in existing and existing[changelog] == count and not moved[partitioner]:
        return None
    if found[partitioner] < MOST * rows:
        raise ClusterError(
            f"the keys of {changelog} are placed neither by {' nor by '.join(PARTITIONERS)}: where they are to be "
            f"among {count} partitions is not known, and `streamapp reset` reads the table anew"
        )
    return Move(table, changelog, before, count, rows, moved[partitioner], partitioner)


def _check_transactions(cluster: Cluster, changelog: str, count: int) -> None:
    """Make sure that nothing is to come of a worker that was killed amid a transaction."""
    asked = {TopicPartition(changelog, number): SPEC.latest() for number in range(count)}
    levels = (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED)
    committed, all_ = (
        [found.result().offset for found in cluster.admin.list_offsets(asked, isolation_level=level).values()]
        for level in levels
    )
    if committed != all_:
        raise ClusterError(f"a transaction is open in {changelog}: try again once the broker has ended it")


def _look_for_unread(
    log: Log, topics: Sequence[str], counts: tuple[int, int], place: Place, unread: Counter[str], keys: set[bytes]
) -> None:
    before, after = counts
    tps = [TP(*tp) for tp in itertools.product(topics, range(before))]
    committed = log.committed(tps)
    for tp in tps:
        for record in log.scan(tp, committed.get(tp, 0)):
            if record.key is not None and place(record.key, after) != tp.partition:
                unread[tp.topic] += 1
                keys.add(record.key)


def _murmur2(key: bytes, count: int) -> int:
    return next(iter(PARTITIONERS.values()))(key, count)
