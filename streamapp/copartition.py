"""Topics before the start: the missing ones are made, and joined ones must have equally many partitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streamapp.settings import (
    CLICKS,
    DEAD_LETTERS,
    JOINED,
    PREFIX,
    PROFILES,
    UNMATCHED,
    Settings,
    SettingsError,
)

__all__ = ["TopicError", "ensure_topics", "prepare"]

#: Seconds to wait for the broker's answers before the start is given up.
PATIENCE: Final = 30.0
#: The largest record (bytes) that topics made here take: Kafka's default of 1 MiB would refuse the join of a click
#: and a profile that are each near to it.
MAX_RECORD: Final = 8 << 20


class TopicError(SettingsError):
    """Topics that cannot be used as they are; the text is one line that says which and what to do."""


def prepare(settings: Settings) -> int:
    """Make the topics of the app that are missing, and check those that are joined.

    Topics that exist keep their partitions; the missing ones get as many as the joined topics have. The table's
    changelog is made here too, so that it has as many.

    Returns:
        the number of partitions of the joined topics.

    Raises:
        TopicError: if the broker is not there or the joined topics differ in their number of partitions.
    """
    changelog = f"{settings.id}-{PROFILES}-changelog"
    inputs = [settings.topic(PROFILES), settings.topic(CLICKS)]
    outputs = [settings.topic(name) for name in (JOINED, UNMATCHED, DEAD_LETTERS)]
    counts = ensure_topics(settings, inputs)
    if len({counts[topic] for topic in inputs}) > 1:
        told = " and ".join(f"{topic} has {counts[topic]}" for topic in inputs)
        raise TopicError(
            f"topics that are joined need equally many partitions, but {told}; make the smaller one anew with as "
            f"many, or choose other topics with {PREFIX}TOPIC_PREFIX"
        )
    count = counts[inputs[0]]
    compacted = {"cleanup.policy": "compact"}
    found = ensure_topics(settings, [changelog], partitions=count, config=compacted)[changelog]
    if found != count:
        raise TopicError(
            f"the changelog {changelog} has {found} partitions, but {inputs[0]} has {count}; delete the changelog, "
            f"or choose another {PREFIX}ID"
        )
    ensure_topics(settings, outputs, partitions=count)
    return count


def ensure_topics(
    settings: Settings,
    topics: Sequence[str],
    *,
    partitions: int | None = None,
    config: Mapping[str, str] = {},
) -> dict[str, int]:
    """Make those of the topics that are missing.

    Args:
        settings: where the broker is, and the number of replicas.
        topics: full names.
        partitions: of the topics to be made; default: as many as one of the others has, else the settings'.
        config: of the topics to be made, besides their ``max.message.bytes``.

    Returns:
        the number of partitions of each topic.

    Raises:
        TopicError: if the broker does not answer or does not let us.
    """
    admin = AdminClient({**settings.librdkafka(), "log_level": 0})
    try:
        counts = _counts(admin, topics)
        missing = [topic for topic in topics if topic not in counts]
        if missing:
            count = partitions or next(iter(counts.values()), settings.partitions)
            _create(
                admin,
                [
                    NewTopic(
                        topic,
                        count,
                        settings.replication,
                        config={"max.message.bytes": str(MAX_RECORD), **config},
                    )
                    for topic in missing
                ],
            )
            counts |= dict.fromkeys(missing, count)
    except KafkaException as exc:
        error = exc.args[0]
        if error.code() in {KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN}:
            raise TopicError(
                f"no Kafka answers at {settings.broker}: start one with `streamapp kafka`, or set {PREFIX}BROKER"
            ) from None
        raise TopicError(f"the broker at {settings.broker} refused: {error.str()}") from None
    return counts


def _counts(admin: AdminClient, topics: Sequence[str]) -> dict[str, int]:
    known = admin.list_topics(timeout=PATIENCE).topics
    return {topic: len(known[topic].partitions) for topic in topics if topic in known and not known[topic].error}


def _create(admin: AdminClient, topics: Sequence[NewTopic]) -> None:
    for future in admin.create_topics(topics, operation_timeout=PATIENCE).values():
        try:
            future.result()
        except KafkaException as exc:
            # Another worker that starts at the same time made it first.
            if exc.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
