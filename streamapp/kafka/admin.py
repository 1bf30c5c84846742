"""The cluster's topics, seen and made by whatever needs them before it starts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from types import MappingProxyType
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from confluent_kafka.cimpl import NewPartitions, NewTopic

from streamapp.errors import StreamappError
from streamapp.kafka.topic_configs import LARGEST_RECORD, Config, input_config, older
from streamapp.settings import PREFIX, Settings

__all__ = ["LARGEST_RECORD", "Cluster", "ClusterError"]

#: Seconds of one call to an unreachable broker: Ctrl-C is not heard during it.
TURN: Final = 1.0
#: Seconds between two looks whether what was created is there.
LOOK: Final = 0.02
#: Seconds within which a broker tells of a topic that was made before it was asked: it hears of it from its controller.
LISTED_WITHIN_S: Final = 5.0

#: librdkafka's names of errors that do not pass by waiting: a wrong password, an unknown certificate.
PERMANENT: Final = frozenset({"_AUTHENTICATION", "_SSL"})
NO_CONFIGS: Final[Mapping[str, Config]] = MappingProxyType({})


class ClusterError(StreamappError):
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
        self.settings = settings
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
            raise ClusterError(f"Kafka at {self.settings.broker} ({PREFIX}BROKER) cannot be used: {self._reason}")
        raise ClusterError(
            f"cannot reach Kafka at {self.settings.broker} ({PREFIX}BROKER) within {self._timeout:g} s: {self._reason}"
        )

    def listed(self, names: Iterable[str]) -> dict[str, int]:
        """Return the number of partitions of every topic, once these are among them, or should be if they are there.

        Whoever runs ``kafka-topics --create`` and then a worker has made the topic, and the broker that is asked may
        not know it yet. Only what is missing is waited for.

        Args:
            names: of topics that are expected to be there.
        """
        end = time.monotonic() + LISTED_WITHIN_S
        while True:
            found = self.partitions()
            if found.keys() >= set(names) or time.monotonic() > end:
                return found
            time.sleep(LOOK)

    def ensure(
        self,
        names: Sequence[str],
        *,
        partitions: int | None = None,
        config: Config | None = None,
        configs: Mapping[str, Config] = NO_CONFIGS,
        existing: dict[str, int] | None = None,
    ) -> dict[str, int]:
        """Create those of the topics that do not exist; the others stay as they are.

        Args:
            names: full names.
            partitions: of those that are created; default: as many as the first of `names` that exists already,
                since topics that are joined need the same number, or else the settings'.
            config: of those that are created; default: that of input topics (`input_config`).
            configs: of single ones of them, by name, in its place.
            existing: the topics as they were listed a moment ago, to which those are added that are created; default:
                they are listed now.

        Returns:
            the number of partitions of each of the topics.
        """
        existing = self.partitions() if existing is None else existing
        if unheard := self._there_already([name for name in names if name not in existing]):
            existing |= self._await(dict.fromkeys(unheard, 1))
        count = partitions or next((existing[name] for name in names if name in existing), self.settings.partitions)
        config = input_config(self.settings) if config is None else config
        if new := {name: configs.get(name, config) for name in names if name not in existing}:
            self._create(new, count)
            existing |= self._await(dict.fromkeys(new, 1))
        return {name: existing[name] for name in names}

    def _there_already(self, names: Sequence[str]) -> list[str]:
        """Return those of topics, which the broker does not tell of, that its controller knows."""
        topics = [NewTopic(name, num_partitions=1, replication_factor=1) for name in names]
        asked = self.admin.create_topics(topics, request_timeout=self._timeout, validate_only=True) if topics else {}
        return [name for name, answer in asked.items() if _exists(answer)]

    def _create(self, configs: Mapping[str, Config], partitions: int) -> None:
        topics = [
            NewTopic(name, num_partitions=partitions, replication_factor=self.settings.replication, config=dict(config))
            for name, config in configs.items()
        ]
        created = self.admin.create_topics(topics, operation_timeout=self._timeout, request_timeout=self._timeout)
        unknown = {}
        for name, done in created.items():
            try:
                done.result()
            except KafkaException as exc:
                error = exc.args[0]
                if error.code() == KafkaError.INVALID_CONFIG and (config := older(configs[name])) is not None:
                    unknown[name] = config
                # One that another program has created meanwhile is as good.
                elif error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise ClusterError(
                        f"cannot create topic {name} with {PREFIX}PARTITIONS={partitions} and "
                        f"{PREFIX}REPLICATION={self.settings.replication}: {error.str()}"
                    ) from None
        if unknown:
            self._create(unknown, partitions)

    def configs(self, names: Iterable[str]) -> tuple[dict[str, Config], str]:
        """Return the configs of topics that exist, asked for in one request.

        Returns:
            them by the topics' names, and why those are missing that may not be read; empty = none is missing.
        """
        found: dict[str, Config] = {}
        why, unheard, end = "", list(names), time.monotonic() + LISTED_WITHIN_S
        while unheard:
            resources = [ConfigResource(ResourceType.TOPIC, name) for name in unheard]
            unheard = []
            for resource, answer in self.admin.describe_configs(resources, request_timeout=self._timeout).items():
                try:
                    found[resource.name] = {name: entry.value for name, entry in answer.result().items()}
                except KafkaException as exc:
                    error = exc.args[0]
                    if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART and time.monotonic() < end:
                        unheard.append(resource.name)  # another broker has told of it
                    else:
                        why = f"{resource.name}: {error.str()}"
            if unheard:
                time.sleep(LOOK)
        return found, why

    def alter(self, name: str, config: Config) -> None:
        """Change the config of a topic.

        Raises:
            ClusterError: if it may not be changed.
        """
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in config.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        for answer in self.admin.incremental_alter_configs([resource], request_timeout=self._timeout).values():
            try:
                answer.result()
            except KafkaException as exc:
                raise ClusterError(f"cannot change the config of topic {name}: {exc.args[0].str()}") from None

    def add_partitions(self, counts: Mapping[str, int]) -> None:
        """Add partitions to topics, up to so many.

        Raises:
            ClusterError: if they may not be added.
        """
        new = [NewPartitions(name, count) for name, count in counts.items()]
        asked = self.admin.create_partitions(new, request_timeout=self._timeout) if new else {}
        for name, answer in asked.items():
            try:
                answer.result()
            except KafkaException as exc:
                raise ClusterError(f"cannot add partitions to topic {name}: {exc.args[0].str()}") from None
        self._await(counts)

    def delete(self, name: str) -> None:
        """Delete a topic, if it is there.

        Raises:
            ClusterError: if it may not be deleted.
        """
        for answer in self.admin.delete_topics([name], operation_timeout=self._timeout).values():
            try:
                answer.result()
            except KafkaException as exc:
                if exc.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise ClusterError(f"cannot delete topic {name}: {exc.args[0].str()}") from None

    def _await(self, counts: Mapping[str, int]) -> dict[str, int]:
        """Wait until the broker tells of new topics and partitions, and return how many they have."""
        end = time.monotonic() + self._timeout
        while True:
            told = self.partitions()
            missing = [name for name, count in counts.items() if told.get(name, 0) < count]
            if not missing:
                return {name: told[name] for name in counts}
            if time.monotonic() > end:
                raise ClusterError(f"{', '.join(sorted(missing))}: created, but not there within {self._timeout:g} s")
            time.sleep(LOOK)

    def _on_error(self, error: KafkaError) -> None:
        # "All brokers down" only repeats what the broker's own error has said, without the reason.
        if error.name() != "_ALL_BROKERS_DOWN":
            self._reason = error.str()
        self._refused = self._refused or error.name() in PERMANENT


def _exists(answer: Future[None]) -> bool:
    """Return whether a topic is not to be made since it is there; what else keeps it from being made is told then."""
    error = answer.exception()
    return isinstance(error, KafkaException) and error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
