"""The cluster's topics, seen and made by whatever needs them before it starts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streamapp.settings import PREFIX, Settings

__all__ = ["LARGEST_RECORD", "Cluster", "ClusterError"]

#: Bytes that a record may have on the topics that are created here, and that our producers send: the usual 1 MiB is
#: too small for a 2 MiB value, and the result of a join holds two values.
LARGEST_RECORD: Final = 8 << 20
#: Seconds of one call to an unreachable broker: Ctrl-C is not heard during it.
TURN: Final = 1.0
#: Seconds between two looks whether what was created is there.
LOOK: Final = 0.02

Config = Mapping[str, str]
#: librdkafka's names of errors that do not pass by waiting: a wrong password, an unknown certificate.
PERMANENT: Final = frozenset({"_AUTHENTICATION", "_SSL"})
NO_CONFIG: Final[Config] = MappingProxyType({})


class ClusterError(Exception):
    """A cluster or topics that cannot be used as they are; the text is one line that says why and what to do."""


class Cluster:
    """The topics of a cluster, by librdkafka's admin client.

    Args:
        settings: where the broker is.
        timeout: seconds that it has to answer each call.

    Raises:
        ClusterError: if the settings do not make a client; and by all methods, if the broker cannot be reached or
            refuses.
    """

    def __init__(self, settings: Settings, *, timeout: float = 30.0) -> None:
        self._settings = settings
        self._timeout = timeout
        self._reason = ""
        self._refused = False
        # Errors come by the callback; librdkafka's own lines on stderr would only say them again.
        config: dict[str, Any] = {**settings.librdkafka(), "log_level": 0, "error_cb": self._on_error}
        try:
            #: librdkafka's client, for questions that are not asked here.
            self.admin = AdminClient(config)
        except KafkaException as exc:
            raise ClusterError(f"the settings do not make a client: {exc.args[0].str()}") from None

    def partitions(self) -> dict[str, int]:
        """Give the number of partitions of every topic.

        Of all, because a broker with ``auto.create.topics.enable`` would create the one that is asked for.
        """
        end = time.monotonic() + self._timeout
        while (left := end - time.monotonic()) > 0:
            try:
                topics = self.admin.list_topics(timeout=min(left, TURN)).topics
            except KafkaException as exc:
                self._reason = self._reason or exc.args[0].str()
                self.admin.poll(0)  # for the error callback, which knows the reason better
                if self._refused:
                    break
            else:
                return {name: len(topic.partitions) for name, topic in topics.items()}
        if self._refused:
            raise ClusterError(f"Kafka at {self._settings.broker} ({PREFIX}BROKER) cannot be used: {self._reason}")
        raise ClusterError(
            f"cannot reach Kafka at {self._settings.broker} ({PREFIX}BROKER) within {self._timeout:g} s: {self._reason}"
        )

    def ensure(
        self, names: Sequence[str], *, partitions: int | None = None, config: Config = NO_CONFIG
    ) -> dict[str, int]:
        """Create those of the topics that do not exist; the others stay as they are.

        Args:
            names: full names.
            partitions: of those that are created; default: as many as the first of `names` that exists already,
                since topics that are joined need the same number, or else the settings'.
            config: of those that are created, besides their ``max.message.bytes``.

        Returns:
            the number of partitions of each of the topics.
        """
        existing = self.partitions()
        count = partitions or next((existing[name] for name in names if name in existing), self._settings.partitions)
        if new := [name for name in names if name not in existing]:
            self._create(new, count, config)
            self._await(new)
        return {name: existing.get(name, count) for name in names}

    def _create(self, names: Sequence[str], partitions: int, config: Config) -> None:
        topics = [
            NewTopic(
                name,
                num_partitions=partitions,
                replication_factor=self._settings.replication,
                config={"max.message.bytes": str(LARGEST_RECORD), **config},
            )
            for name in names
        ]
        created = self.admin.create_topics(topics, operation_timeout=self._timeout, request_timeout=self._timeout)
        for name, done in created.items():
            try:
                done.result()
            except KafkaException as exc:
                error = exc.args[0]
                # One that another program has created meanwhile is as good.
                if error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise ClusterError(
                        f"cannot create topic {name} with {PREFIX}PARTITIONS={partitions} and "
                        f"{PREFIX}REPLICATION={self._settings.replication}: {error.str()}"
                    ) from None

    def _await(self, names: Sequence[str]) -> None:
        """Wait until the broker tells of new topics: it hears of them from its controller, after they are created."""
        end = time.monotonic() + self._timeout
        while missing := set(names) - self.partitions().keys():
            if time.monotonic() > end:
                raise ClusterError(f"{', '.join(sorted(missing))}: created, but not there within {self._timeout:g} s")
            time.sleep(LOOK)

    def _on_error(self, error: KafkaError) -> None:
        # "All brokers down" only repeats what the broker's own error has said, without the reason.
        if error.name() != "_ALL_BROKERS_DOWN":
            self._reason = error.str()
        self._refused = self._refused or error.name() in PERMANENT
