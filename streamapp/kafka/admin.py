"""The cluster's topics, seen and made by whatever needs them before it starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from types import MappingProxyType
from typing import Any, Final, TypeVar

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ListOffsetsResultInfo,
    OffsetSpec,
    ResourceType,
)
from confluent_kafka.cimpl import NewPartitions, NewTopic

from streamapp.errors import StreamappError
from streamapp.kafka.clients import librdkafka
from streamapp.kafka.partition import TP
from streamapp.kafka.topic_configs import LARGEST_RECORD, Config, input_config, older
from streamapp.settings import PREFIX, Settings

__all__ = ["LARGEST_RECORD", "SPEC", "Cluster", "ClusterError"]

T = TypeVar("T")
#: What asks for an offset; confluent-kafka (2.16) says nothing of what its methods return.
SPEC: Final[Any] = OffsetSpec
#: Seconds of one call to an unreachable broker: Ctrl-C is not heard during it.
CALL_S: Final = 1.0
#: Seconds between two looks whether what was created is there.
LOOK_INTERVAL_S: Final = 0.02
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
        try:
            #: librdkafka's client, for questions that are not asked here.
            self.admin = AdminClient(librdkafka(settings, {"error_cb": self._on_error}))
        except KafkaException as exc:
            raise ClusterError(f"the settings do not make a client: {exc.args[0].str()}") from None

    def partitions(self) -> dict[str, int]:
        """Return the number of partitions of every topic.

        Of all, because a broker with ``auto.create.topics.enable`` would create the one that is asked for.
        """
        end = time.monotonic() + self._timeout
        while not self._refused and (left := end - time.monotonic()) > 0:
            try:
                topics = self.admin.list_topics(timeout=min(left, CALL_S)).topics
            except KafkaException as exc:
                self._reason = self._reason or exc.args[0].str()
                self.admin.poll(0)  # for the error callback, which knows the reason better
            else:
                return {name: len(topic.partitions) for name, topic in topics.items()}
        at = f"Kafka at {self.settings.broker} ({PREFIX}BROKER)"
        if self._refused:
            raise ClusterError(f"{at} cannot be used: {self._reason}")
        raise ClusterError(f"cannot reach {at} within {self._timeout:g} s: {self._reason}")

    def listed(self, names: Iterable[str]) -> dict[str, int]:
        """Return the number of partitions of every topic, once these are among them, or should be if they are there.

        Whoever runs ``kafka-topics --create`` and then a worker has made the topic, and the broker that is asked may
        not know it yet. Only what is missing is waited for.
        """
        wanted = set(names)
        return self._look(lambda found: found.keys() >= wanted, LISTED_WITHIN_S)

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
        errors = {name: _error(answer) for name, answer in asked.items()}
        return [name for name, error in errors.items() if error and error.code() == KafkaError.TOPIC_ALREADY_EXISTS]

    def _create(self, configs: Mapping[str, Config], partitions: int) -> None:
        replication = self.settings.replication
        topics = [
            NewTopic(name, num_partitions=partitions, replication_factor=replication, config=dict(config))
            for name, config in configs.items()
        ]
        created = self.admin.create_topics(topics, operation_timeout=self._timeout, request_timeout=self._timeout)
        unknown = {}
        for name, answer in created.items():
            error = _error(answer)
            # One that another program has created meanwhile is as good.
            if error is None or error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue
            config = older(configs[name]) if error.code() == KafkaError.INVALID_CONFIG else None
            if config is None:
                raise ClusterError(
                    f"cannot create topic {name} with {PREFIX}PARTITIONS={partitions} and "
                    f"{PREFIX}REPLICATION={replication}: {error.str()}"
                )
            unknown[name] = config
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
                error = _error(answer)
                if error is None:
                    found[resource.name] = {name: entry.value for name, entry in answer.result().items()}
                elif error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART and time.monotonic() < end:
                    unheard.append(resource.name)  # another broker has told of it
                else:
                    why = f"{resource.name}: {error.str()}"
            if unheard:
                time.sleep(LOOK_INTERVAL_S)
        return found, why

    def alter(self, name: str, config: Config) -> None:
        """Change the config of a topic."""
        set_ = AlterConfigOpType.SET
        entries = [ConfigEntry(key, value, incremental_operation=set_) for key, value in config.items()]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        asked = self.admin.incremental_alter_configs([resource], request_timeout=self._timeout)
        _check({name: asked[resource]}, "change the config of")

    def add_partitions(self, counts: Mapping[str, int]) -> None:
        """Add partitions to topics, up to so many."""
        if counts:
            new = [NewPartitions(name, count) for name, count in counts.items()]
            _check(self.admin.create_partitions(new, request_timeout=self._timeout), "add partitions to")
            self._await(counts)

    def delete(self, name: str) -> None:
        """Delete a topic, if it is there."""
        asked = self.admin.delete_topics([name], operation_timeout=self._timeout)
        _check(asked, "delete", KafkaError.UNKNOWN_TOPIC_OR_PART)

    def offsets(
        self, tps: Iterable[TP], spec: OffsetSpec, level: IsolationLevel = IsolationLevel.READ_UNCOMMITTED
    ) -> dict[TP, ListOffsetsResultInfo]:
        """Return an offset of each partition, with its time.

        Args:
            spec: `SPEC.earliest()`, `.latest()`, `.max_timestamp()` or `.for_timestamp(ms)`.
            level: whether the end is that of open transactions, too.
        """
        if not (asked := {TopicPartition(*tp): spec for tp in tps}):
            return {}
        found = self.admin.list_offsets(asked, isolation_level=level, request_timeout=self._timeout)
        return {TP(tp.topic, tp.partition): self.answer(answer) for tp, answer in found.items()}

    def answer(self, asked: Future[T], about: str = "") -> T:
        """Return the broker's answer; an error names what it is about, a topic or a group."""
        prefix = f"{about}: " if about else ""
        try:
            return asked.result(timeout=self._timeout)
        except KafkaException as exc:
            raise ClusterError(f"{prefix}{exc.args[0].str()}") from None
        except TimeoutError:
            raise ClusterError(f"{prefix}Kafka does not answer within {self._timeout:g} s") from None

    def _await(self, counts: Mapping[str, int]) -> dict[str, int]:
        """Wait until the broker tells of new topics and partitions, and return how many they have."""
        told = self._look(lambda told: all(told.get(name, 0) >= count for name, count in counts.items()), self._timeout)
        if missing := sorted(name for name, count in counts.items() if told.get(name, 0) < count):
            raise ClusterError(f"{', '.join(missing)}: created, but not there within {self._timeout:g} s")
        return {name: told[name] for name in counts}

    def _look(self, complete: Callable[[Mapping[str, int]], bool], within_s: float) -> dict[str, int]:
        end = time.monotonic() + within_s
        while not complete(found := self.partitions()) and time.monotonic() <= end:
            time.sleep(LOOK_INTERVAL_S)
        return found

    def _on_error(self, error: KafkaError) -> None:
        # "All brokers down" only repeats what the broker's own error has said, without the reason.
        if error.name() != "_ALL_BROKERS_DOWN":
            self._reason = error.str()
        self._refused = self._refused or error.name() in PERMANENT


def _error(answer: Future[T]) -> KafkaError | None:
    """Return with what the broker refuses something, if it does."""
    try:
        answer.result()
    except KafkaException as exc:
        error: KafkaError = exc.args[0]
        return error
    return None


def _check(asked: Mapping[str, Future[None]], doing: str, fine: int = KafkaError.NO_ERROR) -> None:
    for name, answer in asked.items():
        error = _error(answer)
        if error is not None and error.code() != fine:
            raise ClusterError(f"cannot {doing} topic {name}: {error.str()}")
