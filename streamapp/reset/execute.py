"""A new start, carried out: topics of the group's own are emptied, its stores removed, and its offsets placed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import ConfigResource, ConfigSource, ResourceType
from confluent_kafka.cimpl import OFFSET_END, NewTopic
from faust.types import TP

from streamapp.extras import Extra, require
from streamapp.kafka.admin import SPEC, Cluster, ClusterError
from streamapp.kafka.producer import Producer
from streamapp.reset.plan import Plan, ResetError
from streamapp.reset.survey import Survey
from streamapp.stores.errors import StoreUnreachableError

__all__ = ["execute", "make_alike", "remove"]

#: Seconds that the broker has for each answer, and to be done with a topic; and between two looks whether it is.
ANSWER_S: Final = 30.0
DONE_S: Final = 60.0
LOOK_S: Final = 0.05


def execute(plan: Plan, survey: Survey) -> None:
    """Do what a plan says.

    The offsets come last: a start that was broken off before leaves an empty state, which a worker notices and refuses.

    Raises:
        ResetError: if it cannot be done; what is done by then may be done again.
        ClusterError: if the broker is not there, or refuses.
        StoreError: if Redis refuses.
    """
    if plan.redis:
        require(Extra.REDIS)
    survey.group.check_empty()
    cluster = survey.cluster
    for changelog in plan.changelogs:
        _make_anew(cluster, changelog.topic)
    for internal in plan.internal:
        ends = [TopicPartition(internal.topic, number, OFFSET_END) for number in range(internal.partitions)]
        for emptied in cluster.admin.delete_records(ends, request_timeout=ANSWER_S).values():
            cluster.answer(emptied, internal.topic)
    remove(plan.directories)
    if plan.redis:
        from streamapp.stores import redis  # only for who needs it: its import takes a while

        try:
            redis.forget(survey.settings, plan.redis)
        except StoreUnreachableError as exc:
            raise ResetError(f"{exc}") from None
    own = [TP(each.topic, number) for each in plan.internal for number in range(each.partitions)]
    ends_of_own = {tp: found.offset for tp, found in cluster.offsets(own, SPEC.latest()).items()}
    survey.group.place({move.tp: move.after for move in plan.moves} | ends_of_own)


def remove(paths: Iterable[Path]) -> None:
    """Remove databases; a ResetError if one cannot be removed."""
    from streamapp.stores import rocksdb  # only for who needs it: its import takes a while

    try:
        for path in paths:
            if path.exists():  # else it was left by the removal of another one
                rocksdb.remove(path)
    except OSError as exc:
        raise ResetError(f"{exc.filename} cannot be removed: {exc.strerror}") from None


def _make_anew(cluster: Cluster, topic: str) -> None:
    """Delete a topic and make it anew, with the same partitions, replicas and settings.

    A topic that is compacted has no other way to be emptied. And it has another id then, by which a worker with an old
    store of it on its disk notices. That one would write its rows to a topic that is empty, as to one that was lost:
    so each partition has a tombstone of a key that no row has.
    """
    new = _alike(cluster, topic, topic)
    cluster.delete(topic)
    _wait(topic, lambda: topic not in cluster.partitions())
    _wait(topic, lambda: _made(cluster, new))
    _wait(topic, lambda: topic in cluster.partitions())
    producer = Producer(cluster.settings, timeout=DONE_S)
    for number in range(new.num_partitions):
        producer.send(topic, b"", None, partition=number)
    producer.flush(DONE_S)
    if producer.error:
        raise ResetError(f"{topic} was made anew and cannot be written to; try again: {producer.error}")


def make_alike(cluster: Cluster, topic: str, name: str) -> None:
    """Make a topic with the partitions, replicas and settings of another one.

    Raises:
        ResetError: if there is one of this name.
        ClusterError: if the broker does not allow it, or is not there.
    """
    if not _made(cluster, _alike(cluster, topic, name)):
        raise ResetError(f"there is a topic {name} already")
    _wait(name, lambda: name in cluster.partitions())


def _alike(cluster: Cluster, topic: str, name: str) -> NewTopic:
    partitions = cluster.admin.list_topics(timeout=ANSWER_S).topics[topic].partitions
    resource = ConfigResource(ResourceType.TOPIC, topic)
    found = cluster.answer(cluster.admin.describe_configs([resource], request_timeout=ANSWER_S)[resource], topic)
    own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    config = {name: entry.value for name, entry in found.items() if entry.source == own}
    return NewTopic(name, len(partitions), len(partitions[0].replicas), config=config)


def _made(cluster: Cluster, new: NewTopic) -> bool:
    """Make a topic; the broker may still be busy with the one that was deleted."""
    try:
        cluster.admin.create_topics([new], request_timeout=ANSWER_S)[new.topic].result(ANSWER_S)
    except KafkaException as exc:
        if exc.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise ClusterError(f"{new.topic} cannot be made: {exc.args[0].str()}") from None
    return True


def _wait(topic: str, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DONE_S
    while not done():
        if time.monotonic() > deadline:
            raise ClusterError(f"{topic} is not as it should be after {DONE_S:g} s; try again")
        time.sleep(LOOK_S)
