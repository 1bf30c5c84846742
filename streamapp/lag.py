"""Lag: how far a consumer group is behind the ends of its topics, in records and in event time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any, Final, TypeVar

import msgspec
from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    IsolationLevel,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec
from faust.types import TP

from streamapp.cluster import Cluster, ClusterError
from streamapp.log import Log, LogError
from streamapp.settings import Settings

__all__ = ["GroupLag", "PartitionLag", "group_lag"]

T = TypeVar("T")
#: confluent-kafka (2.16) says nothing of what these methods give.
SPEC: Final[Any] = OffsetSpec

#: Seconds that the broker has for each answer, and that the times of records may take.
PATIENCE: Final = 10.0


class PartitionLag(msgspec.Struct, frozen=True):
    """How far a partition is read."""

    topic: str
    partition: int
    #: The offset that the group goes on from; None = it has committed none, and goes on from the beginning.
    committed: int | None
    #: The offset that the next record will have.
    end: int
    #: The records that are still to be read.
    lag: int
    #: From the event time of the first of these to the newest one of the partition (ms); None = not known.
    behind_ms: int | None
    #: The member of the group that has the partition; None = none has.
    member: str | None


class GroupLag(msgspec.Struct, frozen=True):
    """How far a group is behind."""

    group: str
    #: As Kafka names it: stable, empty, …
    state: str
    #: The records that are still to be read, of all partitions.
    lag: int
    partitions: list[PartitionLag]


def group_lag(settings: Settings, group: str, topics: Iterable[str] = ()) -> GroupLag:
    """Measure the lag of a group.

    Args:
        settings: where the broker is.
        group: its id.
        topics: that it reads, besides those of which it has committed offsets.

    Raises:
        ClusterError: if the broker cannot be reached or refuses, or there is no such group.
    """
    cluster = Cluster(settings, timeout=PATIENCE)
    counts = cluster.partitions()
    found = _answer(cluster.admin.describe_consumer_groups([group], request_timeout=PATIENCE)[group])
    committed = _committed(settings, group, [TP(topic, number) for topic in counts for number in range(counts[topic])])
    if found.state is ConsumerGroupState.DEAD and not committed:
        raise ClusterError(f"there is no consumer group {group}: no worker of it has run yet, or it has another id")
    members = {
        TP(one.topic, one.partition): member.group_instance_id or member.member_id
        for member in found.members
        for one in member.assignment.topic_partitions
    }
    tps = sorted({*committed, *(TP(topic, number) for topic in topics for number in range(counts.get(topic, 0)))})
    begins, ends = (_offsets(cluster, tps, spec) for spec in (SPEC.earliest(), SPEC.latest()))
    at = {tp: max(committed.get(tp, 0), begins[tp].offset) for tp in tps}
    behind = _behind(settings, cluster, {tp: at[tp] for tp in tps if at[tp] < ends[tp].offset})
    partitions = [
        PartitionLag(
            *tp,
            committed=committed.get(tp),
            end=ends[tp].offset,
            lag=max(0, ends[tp].offset - at[tp]),
            behind_ms=behind.get(tp, None if at[tp] < ends[tp].offset else 0),
            member=members.get(tp),
        )
        for tp in tps
    ]
    return GroupLag(group, found.state.name.lower(), sum(one.lag for one in partitions), partitions)


def _committed(settings: Settings, group: str, tps: Iterable[TP]) -> dict[TP, int]:
    """Give the offsets that a group has committed of partitions; the broker keeps those of deleted topics for a while.

    Asked as a consumer, which does not join the group: the admin client of librdkafka 2.16 crashes at some answers.
    """
    consumer = Consumer({**settings.librdkafka(), "log_level": 0, "group.id": group, "enable.auto.commit": False})
    try:
        found = consumer.committed([TopicPartition(*tp) for tp in tps], timeout=PATIENCE)
    except KafkaException as exc:
        raise ClusterError(exc.args[0].str()) from None
    finally:
        consumer.close()
    return {TP(one.topic, one.partition): one.offset for one in found if one.offset >= 0}


def _behind(settings: Settings, cluster: Cluster, at: Mapping[TP, int]) -> dict[TP, int]:
    """Give how much newer (ms) the newest record of each partition is than the one at an offset, if that is told."""
    try:
        newest = _offsets(cluster, at, SPEC.max_timestamp())
        with Log(settings, PATIENCE) as log:
            first = log.first(at)
    except (ClusterError, LogError):  # a broker older than 3.0, or one that lets us count records and not read them
        return {}
    return {tp: max(0, newest[tp].timestamp - record.timestamp) for tp, record in first.items()}


def _offsets(cluster: Cluster, tps: Iterable[TP], spec: OffsetSpec) -> dict[TP, Any]:
    asked = {TopicPartition(*tp): spec for tp in tps}
    if not asked:
        return {}
    found = cluster.admin.list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=PATIENCE)
    return {TP(tp.topic, tp.partition): _answer(answer) for tp, answer in found.items()}


def _answer(asked: Future[T]) -> T:
    try:
        return asked.result(timeout=PATIENCE)
    except KafkaException as exc:
        raise ClusterError(exc.args[0].str()) from None
    except TimeoutError:
        raise ClusterError(f"Kafka does not answer within {PATIENCE:g} s") from None
