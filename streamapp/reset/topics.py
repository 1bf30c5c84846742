"""Topics of a group's own, emptied: changelogs by making them anew, others by deleting their records."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import ConfigResource, ConfigSource, ResourceType
from confluent_kafka.cimpl import NewTopic

from streamapp.kafka.admin import Cluster
from streamapp.kafka.clients import librdkafka
from streamapp.reset.errors import ResetError

__all__ = ["empty", "make_alike", "make_anew"]

T = TypeVar("T")

#: Seconds that the broker has for each answer, and to be done with a topic; and between two looks whether it is.
ANSWER_S: Final = 30.0
DONE_S: Final = 60.0
LOOK_S: Final = 0.05
#: The offset that stands for the end of a partition.
END: Final = -1


def make_anew(cluster: Cluster, topic: str) -> None:
    """Delete a topic and make it anew, with the same partitions, replicas and settings.

    A topic that is compacted has no other way to be emptied. And it has another id then, by which a worker with an old
    store of it on its disk notices. That one would write its rows to a topic that is empty, as to one that was lost:
    so each partition has a tombstone of a key that no row has.

    Raises:
        ResetError: if the broker does not allow it.
        ClusterError: if it is not there.
    """
    new = _alike(cluster, topic, topic)
    _told(topic, lambda: cluster.admin.delete_topics([topic], request_timeout=ANSWER_S)[topic].result(ANSWER_S))
    _wait(topic, lambda: topic not in cluster.partitions())
    _wait(topic, lambda: _made(cluster, new))
    _wait(topic, lambda: topic in cluster.partitions())
    producer = Producer(librdkafka(cluster.settings, {"message.timeout.ms": int(DONE_S * 1000)}))
    for number in range(new.num_partitions):
        producer.produce(topic, key=b"", value=None, partition=number)
    if producer.flush(DONE_S):
        raise ResetError(f"{topic} was made anew and cannot be written to within {DONE_S:g} s; try again")


def make_alike(cluster: Cluster, topic: str, name: str) -> None:
    """Make a topic with the partitions, replicas and settings of another one.

    Raises:
        ResetError: if the broker does not allow it, or there is one of this name.
        ClusterError: if it is not there.
    """
    if not _made(cluster, _alike(cluster, topic, name)):
        raise ResetError(f"there is a topic {name} already")
    _wait(name, lambda: name in cluster.partitions())


def _alike(cluster: Cluster, topic: str, name: str) -> NewTopic:
    partitions = list(cluster.admin.list_topics(timeout=ANSWER_S).topics[topic].partitions.values())
    replicas = len(partitions[0].replicas)
    return NewTopic(name, num_partitions=len(partitions), replication_factor=replicas, config=_settings(cluster, topic))


def empty(cluster: Cluster, topic: str, partitions: int) -> None:
    """Delete the records of a topic.

    Raises:
        ResetError: if the broker does not allow it.
    """
    ends = [TopicPartition(topic, number, END) for number in range(partitions)]
    answers = cluster.admin.delete_records(ends, request_timeout=ANSWER_S).values()
    _told(topic, lambda: [answer.result(ANSWER_S) for answer in answers])


def _settings(cluster: Cluster, topic: str) -> dict[str, str]:
    """Return the settings that are the topic's own."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    found: Any = _told(
        topic, lambda: cluster.admin.describe_configs([resource], request_timeout=ANSWER_S)[resource].result(ANSWER_S)
    )
    own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    return {name: entry.value for name, entry in found.items() if entry.source == own}


def _made(cluster: Cluster, new: NewTopic) -> bool:
    """Make a topic; the broker may still be busy with the one that was deleted."""
    try:
        cluster.admin.create_topics([new], request_timeout=ANSWER_S)[new.topic].result(ANSWER_S)
    except KafkaException as exc:
        if exc.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise ResetError(f"{new.topic} cannot be made: {exc.args[0].str()}") from None
    return True


def _told(topic: str, ask: Callable[[], T]) -> T:
    try:
        return ask()
    except KafkaException as exc:
        raise ResetError(f"{topic} cannot be emptied: {exc.args[0].str()}") from None
    except TimeoutError:
        raise ResetError(f"{topic} cannot be emptied: Kafka does not answer within {ANSWER_S:g} s") from None


def _wait(topic: str, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DONE_S
    while not done():
        if time.monotonic() > deadline:
            raise ResetError(f"{topic} is not as it should be after {DONE_S:g} s; try again")
        time.sleep(LOOK_S)
