"""Lag: how far a consumer group is behind the ends of its topics, in records and in event time.

The offsets between do not tell: markers of transactions take one each, records of aborted ones, and what was compacted
away. So a look goes into what is left, for a time, and counts what a worker would read of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from confluent_kafka import ConsumerGroupState, IsolationLevel
from confluent_kafka.admin import ConsumerGroupDescription

from streamapp.kafka.admin import SPEC, Cluster, ClusterError
from streamapp.kafka.log_reader import Log, LogError, Remaining
from streamapp.kafka.partition import TP
from streamapp.settings import Settings

__all__ = ["GroupLag", "PartitionLag", "group_lag"]

#: Seconds that the broker has for each answer.
ANSWER_TIMEOUT_S: Final = 10.0
#: Seconds that the look may take, and the records of a partition that are counted; the rest is told by the offsets.
LOOK_S: Final = 1.0
COUNTED: Final = 1_000
#: How topics end that Faust (0.15.3) assigns, and does not read with the group's offsets.
UNREAD: Final = ("-changelog", "-__assignor-__leader")


class PartitionLag(msgspec.Struct, frozen=True):
    """How far a partition is read."""

    topic: str
    partition: int
    #: The offset that the group goes on from; None = it has committed none, and goes on from the beginning.
    committed: int | None
    #: The offset that the next record will have.
    end: int
    #: The records that are still to be read: of a transaction none but those that a worker gets to see; of many the
    #: offsets behind the first ones.
    lag: int
    #: From the event time of the first of these to the newest one of the partition (ms); None = not known.
    behind_ms: int | None
    #: The member of the group that has the partition; None = none has.
    member: str | None
    #: The offsets from the first open transaction on, which exactly once nobody reads before it ends; they are no lag.
    withheld: int = 0


class GroupLag(msgspec.Struct, frozen=True):
    """How far a group is behind."""

    group: str
    #: As Kafka names it: stable, empty, …
    state: str
    #: The records that are still to be read, of all partitions.
    lag: int
    partitions: list[PartitionLag]


def group_lag(settings: Settings, group: str) -> GroupLag:
    """Measure the lag of a group, in all partitions of the topics of which it has any or has committed any.

    Raises:
        ClusterError: if the broker cannot be reached or refuses, or there is no such group.
    """
    cluster = Cluster(settings, timeout=ANSWER_TIMEOUT_S)
    counts = cluster.partitions()
    asked = cluster.admin.describe_consumer_groups([group], request_timeout=ANSWER_TIMEOUT_S)
    found: ConsumerGroupDescription = cluster.answer(asked[group])
    committed = _committed(settings, group, [TP(topic, number) for topic in counts for number in range(counts[topic])])
    if found.state is ConsumerGroupState.DEAD and not committed:
        raise ClusterError(f"there is no consumer group {group}: no worker of it has run yet, or it has another id")
    members = {
        TP(one.topic, one.partition): member.group_instance_id or member.member_id
        for member in found.members
        for one in member.assignment.topic_partitions
    }
    read = {tp.topic for tp in members if not tp.topic.endswith(UNREAD)}
    topics = {tp.topic for tp in committed} | read & counts.keys()
    tps = sorted({*committed, *(TP(topic, number) for topic in topics for number in range(counts[topic]))})
    level = IsolationLevel[settings.isolation_level.upper()]
    # First: what is written between the two questions would seem withheld.
    written = cluster.offsets(tps, SPEC.latest(), IsolationLevel.READ_UNCOMMITTED)
    begins, ends = (cluster.offsets(tps, spec, level) for spec in (SPEC.earliest(), SPEC.latest()))
    at = {tp: max(committed.get(tp, 0), begins[tp].offset) for tp in tps}
    left = _remaining(settings, {tp: (at[tp], ends[tp].offset) for tp in tps if at[tp] < ends[tp].offset})
    behind = _behind(cluster, left, level)
    partitions = [
        PartitionLag(
            *tp,
            committed=committed.get(tp),
            end=ends[tp].offset,
            lag=left[tp].lag if tp in left else 0,
            behind_ms=behind.get(tp, None if tp in left else 0),
            member=members.get(tp),
            withheld=max(0, written[tp].offset - ends[tp].offset),
        )
        for tp in tps
    ]
    return GroupLag(group, found.state.name.lower(), sum(one.lag for one in partitions), partitions)


def _committed(settings: Settings, group: str, tps: Sequence[TP]) -> dict[TP, int]:
    """Return the offsets that a group has committed; the broker keeps those of deleted topics for a while.

    Asked as a consumer, which does not join the group: the admin client of librdkafka 2.16 crashes at some answers.
    """
    try:
        with Log(settings, ANSWER_TIMEOUT_S, group=group) as log:
            return log.committed(tps)
    except LogError as exc:
        raise ClusterError(str(exc)) from None


def _remaining(settings: Settings, ranges: Mapping[TP, tuple[int, int]]) -> Mapping[TP, Remaining]:
    if not ranges:
        return {}
    try:
        with Log(settings, LOOK_S, isolation_level=settings.isolation_level) as log:
            return log.remaining(ranges, at_most=COUNTED)
    except LogError:  # a broker that tells us of offsets and does not let us read
        return {tp: Remaining(*offsets) for tp, offsets in ranges.items()}


def _behind(cluster: Cluster, left: Mapping[TP, Remaining], level: IsolationLevel) -> dict[TP, int]:
    """Return how much newer (ms) the newest record of each partition is than the first that is left, if it is told."""
    try:
        newest = cluster.offsets((tp for tp, one in left.items() if not one.complete), SPEC.max_timestamp(), level)
    except ClusterError:  # a broker older than 3.0
        newest = {}
    found = {}
    for tp, one in left.items():
        last = one.newest if one.complete else newest[tp].timestamp if tp in newest else None
        if one.first is not None and last is not None:
            found[tp] = max(0, last - one.first)
        elif one.complete:
            found[tp] = 0
    return found
