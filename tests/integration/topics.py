"""The topics of one app, written and read from outside as any client would."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, Self, TypeVar, cast

import aiokafka
from aiokafka import AIOKafkaConsumer
from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    OffsetSpec,
    PartitionMetadata,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic
from worker import wait_until

__all__ = ["Topics", "ends"]

T = TypeVar("T")

DEADLINE = 90.0
#: How long records are collected before they are looked at: a client that has read all to the end waits so long, too.
POLL_S = 0.02
#: Errors of a topic or a group that the broker has only just made, or while it comes back.
NOT_YET = {
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    # A broker is fenced if its machine stood still for 3 s, and tells of no controller then.
    KafkaError.INVALID_REPLICATION_FACTOR,
    KafkaError._TIMED_OUT,
}


class Received(Protocol):
    """A record that was read; a test knows whether there is a key or a value."""

    def key(self) -> Any: ...
    def value(self) -> Any: ...
    def headers(self) -> Any: ...
    def topic(self) -> str: ...
    def partition(self) -> int: ...
    def offset(self) -> int: ...
    def timestamp(self) -> tuple[int, int]: ...


class Topics:
    """Topics whose names begin with a prefix that no other test has.

    Args:
        bootstrap: the broker.
        name: a name for the test, which is the app's id too.
        partitions: of the topics made here.
    """

    numbers = itertools.count(int(time.time()))

    def __init__(self, bootstrap: str, name: str, partitions: int = 4) -> None:
        self.bootstrap = bootstrap
        self.id = f"{name}-{next(self.numbers)}"
        self.prefix = f"{self.id}."
        self.partitions = partitions
        self.now = int(time.time() * 1000)
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self._groups: dict[str, Consumer] = {}
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "log_level": 0,  # that a broker which a test has killed does not answer is no news
                "enable.idempotence": True,  # a broker that is killed must not double what a test sends
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "message.max.bytes": 16 << 20,
            }
        )

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of a worker on these topics."""
        return {
            "broker": self.bootstrap,
            "id": self.id,
            "topic_prefix": self.prefix,
            "partitions": self.partitions,
        }

    def create(self, *names: str, partitions: int | None = None, config: dict[str, str] | None = None) -> None:
        """Make topics; names go without the prefix."""
        made = [self.prefix + name for name in names]
        topics = [
            NewTopic(
                topic,
                partitions or self.partitions,
                1,
                config={"max.message.bytes": "8388608", **(config or {})},
            )
            for topic in made
        ]
        for topic in topics:
            _soon(functools.partial(self._create, topic), f"{topic.topic} is made")
        wait_until(lambda: self._has_leaders(made), f"the broker tells of {', '.join(made)}")

    def _create(self, topic: NewTopic) -> None:
        # By a client of its own: one that met a broker without a controller never looks for another
        # (https://github.com/confluentinc/librdkafka/issues/5301), so the next try has to be made by the next client.
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        for made in admin.create_topics([topic], request_timeout=5).values():
            try:
                made.result(DEADLINE)
            except KafkaException as exc:
                if exc.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # made by a try that was not answered
                    raise

    def _has_leaders(self, topics: list[str]) -> bool:
        return all((found := self._known(topic)) and all(one.leader >= 0 for one in found.values()) for topic in topics)

    def _known(self, topic: str) -> dict[int, PartitionMetadata]:
        """Return the partitions of a topic, none if there is none; to be told of all topics takes ten times as long."""
        return dict(self._admin.list_topics(topic, timeout=30).topics[topic].partitions)

    @contextlib.contextmanager
    def made(self, *names: str) -> Iterator[None]:
        """Make topics, for a time."""
        self.create(*names)
        try:
            yield
        finally:
            for name in names:
                self.delete(name)

    def delete(self, name: str, *, full_name: bool = False) -> None:
        """Delete a topic, and wait until it is gone."""
        topic = name if full_name else self.prefix + name
        self._admin.delete_topics([topic])[topic].result(30)
        wait_until(lambda: not self._known(topic), f"{topic} is gone")

    def renew(self, name: str) -> None:
        """Delete a topic, and make it anew."""
        self.delete(name)
        self.create(name)

    def alter(self, topic: str, config: dict[str, str]) -> None:
        """Change settings of a topic, by its full name."""
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in config.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        for altered in self._admin.incremental_alter_configs([resource]).values():
            altered.result(30)

    def renew_changelog(self, table: str) -> None:
        """Delete the changelog of a table of the app, and make it anew."""
        topic = self._changelog(table)
        self._admin.delete_topics([topic])[topic].result(30)
        wait_until(lambda: not self._known(topic), f"{topic} is gone")
        self.create_changelog(table, {"cleanup.policy": "compact"})

    def create_changelog(self, table: str, config: dict[str, str]) -> None:
        """Make the changelog of a table of the app, with settings of its own."""
        topic = self._changelog(table)
        self._admin.create_topics([NewTopic(topic, self.partitions, 1, config=config)])[topic].result(30)

    def delete_records(self, name: str, before: int, *, full_name: bool = False) -> None:
        """Delete the records of partition 0 before an offset, as a topic's retention does."""
        partition = TopicPartition(name if full_name else self.prefix + name, 0, before)
        wait_until(lambda: self._deleted(partition), f"the records of {partition.topic} are deleted")

    def _deleted(self, partition: TopicPartition) -> bool:
        try:
            for deleted in self._admin.delete_records([partition]).values():
                deleted.result(30)
        except KafkaException as exc:
            if exc.args[0].code() != KafkaError.POLICY_VIOLATION:
                raise
            return (
                False  # its log still has the settings of before they were changed: it is told of them a moment later
            )
        return True

    def send(
        self,
        name: str,
        key: str | bytes | None,
        value: Any,
        *,
        at: int | None = None,
        headers: Any = None,
        partition: int | None = None,
    ) -> None:
        """Send one record; `at` is its event time, in ms after the topics were named; bytes go as they are."""
        data = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
        where: dict[str, Any] = {} if partition is None else {"partition": partition}
        while True:
            try:
                self._producer.produce(
                    self.prefix + name,
                    key=key,
                    value=data,
                    timestamp=self.now + (at or 0),
                    headers=headers,
                    on_delivery=self._delivered,
                    **where,
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _delivered(self, error: Any, message: Message) -> None:
        assert error is None, f"{message.topic()}: {error}"

    def flush(self) -> None:
        """Wait until the broker has all that was sent."""
        assert self._producer.flush(DEADLINE) == 0

    def profiles(self, users: Iterable[int], *, at: int = 0, name: str = "name") -> None:
        """Send a profile for each user."""
        for user in users:
            self.send("user_profiles", f"u{user}", {"user_id": f"u{user}", "name": f"{name} {user}"}, at=at)
        self.flush()

    def clicks(self, numbers: Iterable[int], *, users: int, at: int = 0) -> None:
        """Send clicks with these numbers, of the users in turn, a millisecond apart."""
        for number in numbers:
            user = f"u{number % users}"
            self.send(
                "user_clicks", user, {"click_id": f"c{number}", "user_id": user, "url": "/"}, at=at + number // users
            )
        self.flush()

    def end(self, name: str, *, isolation: str = "read_committed") -> int:
        """Count the records of a topic by its offsets; -1 = there is no such topic."""
        level = IsolationLevel[isolation.upper()]
        return sum(self._ends(self.prefix + name, level).values()) if self.exists(name) else -1

    def ends(self, name: str) -> dict[int, int]:
        """Give the end offset of each partition of a topic."""
        return self._ends(self.prefix + name)

    def exists(self, name: str) -> bool:
        """Tell whether a topic is there."""
        return bool(self._known(self.prefix + name))

    def read(self, name: str, *, full_name: bool = False) -> list[Received]:
        """Read all records of a topic that are there now, of transactions only what is committed (read_committed)."""
        topic = name if full_name else self.prefix + name
        options: dict[str, Any] = {"enable.partition.eof": True}
        with self._consumer(**options) as consumer:
            ends = self._ends(topic)
            consumer.assign([TopicPartition(topic, partition, 0) for partition in ends])
            missing = {partition for partition, end in ends.items() if end}
            found: list[Received] = []
            deadline = time.monotonic() + DEADLINE
            while missing:
                assert time.monotonic() < deadline, f"{topic}: partitions {missing} were not read to their ends"
                for message in consumer.consume(10_000, POLL_S):
                    if message.error() is not None and message.error().code() == KafkaError._PARTITION_EOF:
                        missing.discard(message.partition())  # positions do not count the markers of transactions
                    elif message.error():
                        raise AssertionError(str(message.error()))
                    elif message.offset() < ends[message.partition()]:
                        found.append(cast("Received", message))
                for position in consumer.position([TopicPartition(topic, partition) for partition in missing]):
                    if position.offset >= ends[position.partition]:
                        missing.discard(position.partition)
            return found

    def table(self, name: str) -> dict[bytes, bytes]:
        """Give the rows of a table of the app, as its changelog has them: of each key the last one."""
        rows = {message.key(): message.value() for message in self.read(self._changelog(name), full_name=True)}
        return {key: value for key, value in rows.items() if value is not None}

    def changes(self, name: str) -> int:
        """Count the records in the changelog of a table of the app."""
        return sum(self._ends(self._changelog(name)).values())

    def _changelog(self, name: str) -> str:
        return f"{self.id}-{name}-changelog"

    def changelog_end(self, name: str, partition: int) -> int:
        """Give the end offset of a partition of a table's changelog, of open transactions too."""
        return self._ends(self._changelog(name), IsolationLevel.READ_UNCOMMITTED)[partition]

    def joined(self) -> Counter[str]:
        """Count the results of each click id."""
        return Counter(json.loads(message.value())["click"]["click_id"] for message in self.read("joined_data"))

    def committed(self, name: str, group: str | None = None) -> int:
        """Sum up the offsets that the app, or another group, has committed for a topic."""
        partitions = [TopicPartition(self.prefix + name, partition) for partition in self._ends(self.prefix + name)]
        # Not by the admin client: librdkafka 2.16 looks for its consumer group, and crashes, if the answer is an error.
        consumer = self._of_group(group or self.id)
        found = _soon(lambda: consumer.committed(partitions, timeout=30), f"{group or self.id} has a coordinator")
        return sum(max(0, position.offset) for position in found)

    def _of_group(self, group: str) -> Any:
        """Return a consumer that asks for what its group has committed; to connect anew each time takes longer."""
        if group not in self._groups:
            self._groups[group] = self._consumer(group=group)
        return self._groups[group]

    def members(self) -> int:
        """Count the members of the app's group."""
        described = self._admin.describe_consumer_groups([self.id], request_timeout=30)[self.id].result(30)
        return len(described.members)

    def commit_of(self, name: str) -> tuple[int, str]:
        """Give the committed offset of partition 0 of a topic, and the metadata that is committed along with it."""

        async def ask() -> tuple[int, str]:
            async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=self.id) as consumer:
                partition = aiokafka.TopicPartition(self.prefix + name, 0)
                found = await consumer._coordinator.fetch_committed_offsets([partition])
                return tuple(found[partition])

        return asyncio.run(ask())

    def commit(self, name: str, offset: int, metadata: str = "") -> None:
        """Commit an offset of partition 0 of a topic for the app's group, which has no members."""
        with self._consumer(group=self.id) as consumer:
            placed = TopicPartition(self.prefix + name, 0, offset, metadata)
            _soon(lambda: consumer.commit(offsets=[placed], asynchronous=False), f"{self.id} has a coordinator")

    def _ends(self, topic: str, isolation: IsolationLevel = IsolationLevel.READ_COMMITTED) -> dict[int, int]:
        return ends(self._admin, topic, isolation)

    def _consumer(self, group: str = "test-reader", **options: Any) -> Any:
        return _Closing(
            {
                **options,
                "bootstrap.servers": self.bootstrap,
                "group.id": group,
                "log_level": 0,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 20,  # at the end of a topic there is nothing to wait for
            }
        )


def ends(admin: AdminClient, topic: str, isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED) -> dict[int, int]:
    """Give the end offset of each partition of a topic."""
    partitions = admin.list_topics(topic, timeout=30).topics[topic].partitions
    asked = {TopicPartition(topic, partition): OffsetSpec.latest() for partition in partitions}

    def ask() -> dict[int, int]:
        answers = admin.list_offsets(asked, isolation_level=isolation, request_timeout=30)
        return {tp.partition: answer.result().offset for tp, answer in answers.items()}

    return _soon(ask, f"{topic} has leaders") if asked else {}


def _soon(ask: Callable[[], T], what: str) -> T:
    """Ask until what the broker has only just made is there."""

    def ask_once() -> tuple[T] | None:
        try:
            return (ask(),)
        except KafkaException as exc:
            if exc.args[0].code() in NOT_YET:
                return None
            raise

    return wait_until(ask_once, what)[0]


class _Closing(Consumer):
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
