"""Topics: make sure that they are there before anything is sent to them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streamapp.produce.errors import ProduceError
from streamapp.produce.producer import LARGEST_RECORD
from streamapp.settings import PREFIX, Settings

__all__ = ["ensure_topics", "require_topic"]

#: Seconds of one call to an unreachable broker: Ctrl-C is not heard during it.
TURN: Final = 1.0


def ensure_topics(settings: Settings, names: Sequence[str], *, timeout: float = 30.0) -> None:
    """Create those of the topics that do not exist; the others stay as they are.

    A new one gets as many partitions as the first of ``names`` that exists already, since topics that are
    joined need the same number, or else ``settings.partitions``.

    Args:
        timeout: seconds that the broker has to answer, twice.

    Raises:
        ProduceError: if the broker cannot be reached or refuses.
    """
    cluster = _Cluster(settings, timeout)
    existing = cluster.partitions()
    partitions = next((existing[name] for name in names if name in existing), settings.partitions)
    cluster.create([name for name in names if name not in existing], partitions)


def require_topic(settings: Settings, name: str, *, timeout: float = 30.0) -> None:
    """Check that a topic exists.

    Raises:
        ProduceError: if it does not, or if the broker cannot be reached within ``timeout`` seconds.
    """
    if name not in _Cluster(settings, timeout).partitions():
        raise ProduceError(
            f"there is no topic {name} at {settings.broker}: start the worker, which creates its own topics, "
            f"or pass --create"
        )


class _Cluster:
    def __init__(self, settings: Settings, timeout: float) -> None:
        self._settings = settings
        self._timeout = timeout
        self._reason = ""
        # Errors come by the callback; librdkafka's own lines on stderr would only say them again.
        config: dict[str, Any] = {**settings.librdkafka(), "log_level": 0, "error_cb": self._on_error}
        try:
            self._admin = AdminClient(config)
        except KafkaException as exc:
            raise ProduceError(f"the settings do not make a client: {exc.args[0].str()}") from None

    def partitions(self) -> dict[str, int]:
        """Give the number of partitions of every topic.

        Of all, because a broker with ``auto.create.topics.enable`` would create the one that is asked for.
        """
        end = time.monotonic() + self._timeout
        while (left := end - time.monotonic()) > 0:
            try:
                topics = self._admin.list_topics(timeout=min(left, TURN)).topics
            except KafkaException as exc:
                self._reason = self._reason or exc.args[0].str()
                self._admin.poll(0)  # for the error callback, which knows the reason better
            else:
                return {name: len(topic.partitions) for name, topic in topics.items()}
        raise ProduceError(
            f"cannot reach Kafka at {self._settings.broker} ({PREFIX}BROKER) within {self._timeout:g} s: {self._reason}"
        )

    def create(self, names: Sequence[str], partitions: int) -> None:
        """Create topics; one that another program has created meanwhile is as good."""
        if not names:
            return
        topics = [
            NewTopic(
                name,
                num_partitions=partitions,
                replication_factor=self._settings.replication,
                config={"max.message.bytes": str(LARGEST_RECORD)},
            )
            for name in names
        ]
        created = self._admin.create_topics(topics, operation_timeout=self._timeout, request_timeout=self._timeout)
        for name, done in created.items():
            try:
                done.result()
            except KafkaException as exc:
                error = exc.args[0]
                if error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise ProduceError(
                        f"cannot create topic {name} with {PREFIX}PARTITIONS={partitions} and "
                        f"{PREFIX}REPLICATION={self._settings.replication}: {error.str()}"
                    ) from None

    def _on_error(self, error: KafkaError) -> None:
        # "All brokers down" only repeats what the broker's own error has said, without the reason.
        if error.name() != "_ALL_BROKERS_DOWN":
            self._reason = error.str()
