"""A consumer group as it stands: its workers, and what it has committed."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec
from faust.types import TP

from streamapp.kafka.admin import Cluster
from streamapp.kafka.clients import reader
from streamapp.kafka.commit_metadata import By, CommitMetadata, new_placement
from streamapp.reset.errors import ResetError
from streamapp.reset.where import Kind, Where
from streamapp.settings import Settings

__all__ = ["MEMBERS", "Group", "HasWorkersError"]

T = TypeVar("T")

#: confluent-kafka (2.16) says nothing of what these methods give.
SPEC: Final[Any] = OffsetSpec
#: Seconds that the broker has for each answer.
ANSWER_S: Final = 30.0
#: Seconds before a coordinator that a group has only just got is asked again; and what it says meanwhile.
AGAIN_S: Final = 0.1
NOT_YET: Final = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError._WAIT_COORD,  # noqa: SLF001 - librdkafka's name for it
    }
)
#: Error codes of offsets that are refused since the group has members.
MEMBERS: Final = frozenset(
    {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS}
)


class HasWorkersError(ResetError):
    """A group that somebody is in."""


class Group:
    """A consumer group, asked and changed from outside.

    Args:
        settings: where the broker is.
        cluster: the same.
        name: its id.

    Raises:
        ResetError: by all methods, if the broker refuses.
    """

    def __init__(self, settings: Settings, cluster: Cluster, name: str) -> None:
        self._settings = settings
        self._cluster = cluster
        self.name = name

    def check_empty(self) -> None:
        """Make sure that no worker runs.

        Raises:
            HasWorkersError: if one does.
        """
        asked = self._cluster.admin.describe_consumer_groups([self.name], request_timeout=ANSWER_S)[self.name]
        with _explained(self.name):
            members = asked.result(ANSWER_S).members
        if members:
            named = sorted(f"{each.group_instance_id or each.client_id} at {each.host.lstrip('/')}" for each in members)
            raise HasWorkersError(
                f"workers of {self.name} run: {', '.join(named)}; stop them first (one that was killed is in the group "
                "until its session times out)"
            )

    def committed(self, tps: Iterable[TP]) -> dict[TP, int]:
        """Return the committed offsets, of the partitions that have one."""
        with self._consumer() as consumer, _explained(self.name):
            found = consumer.committed([TopicPartition(*tp) for tp in tps], timeout=ANSWER_S)
        # Not their metadata: confluent-kafka (2.16) reads beyond its end.
        return {TP(one.topic, one.partition): one.offset for one in found if one.offset >= 0}

    def place(self, offsets: Mapping[TP, int], began: str = "") -> None:
        """Have workers begin at these offsets.

        Raises:
            HasWorkersError: if one runs meanwhile; the broker refuses it then.
        """
        if not offsets:
            return
        metadata = str(CommitMetadata(By.PLACED, began, placement=new_placement()))
        placed = [TopicPartition(*tp, offset, metadata) for tp, offset in sorted(offsets.items())]
        deadline = time.monotonic() + ANSWER_S
        with self._consumer() as consumer:
            while (error := _commit(consumer, placed)) is not None:
                if error.code() not in NOT_YET or time.monotonic() > deadline:
                    raise self._refused(error)
                time.sleep(AGAIN_S)

    def _refused(self, error: KafkaError) -> ResetError:
        if error.code() in MEMBERS:
            return HasWorkersError(f"workers of {self.name} run: its offsets cannot be set; stop them first")
        return ResetError(f"the offsets of {self.name} cannot be set: {error.str()}")

    @contextmanager
    def _consumer(self) -> Iterator[Consumer]:
        """Make a consumer that does not join the group; librdkafka's admin client crashes at some answers (2.16)."""
        consumer = reader(self._settings, self.name)
        try:
            yield consumer
        finally:
            consumer.close()

    def find(self, places: Mapping[TP, Where]) -> dict[TP, int]:
        """Return the offsets of places; of a time that of the first record which is not older, or the end.

        Raises:
            ResetError: for an offset that there is not.
        """
        begins = self._offsets({tp: SPEC.earliest() for tp in places})
        ends = self._offsets({tp: SPEC.latest() for tp in places})
        times = {tp: SPEC.for_timestamp(one.value) for tp, one in places.items() if one.kind is Kind.TIME}
        since = self._offsets(times)
        found = {}
        for tp, place in places.items():
            match place.kind:
                case Kind.BEGINNING:
                    found[tp] = begins[tp]
                case Kind.NOW:
                    found[tp] = ends[tp]
                case Kind.TIME:
                    found[tp] = since[tp] if since[tp] >= 0 else ends[tp]
                case Kind.OFFSET:
                    if not begins[tp] <= place.value <= ends[tp]:
                        raise ResetError(
                            f"{tp.topic}[{tp.partition}] has offsets {begins[tp]} to {ends[tp]}, and not {place.value}"
                        )
                    found[tp] = place.value
        return found

    def records(self, tps: Collection[TP]) -> int:
        """Count the records of partitions by their offsets."""
        begins = self._offsets({tp: SPEC.earliest() for tp in tps})
        ends = self._offsets({tp: SPEC.latest() for tp in tps})
        return sum(ends[tp] - begins[tp] for tp in tps)

    def _offsets(self, specs: Mapping[TP, Any]) -> dict[TP, int]:
        if not specs:
            return {}
        asked = {TopicPartition(*tp): spec for tp, spec in specs.items()}
        answers = self._cluster.admin.list_offsets(
            asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=ANSWER_S
        )
        with _explained(self.name):
            return {TP(tp.topic, tp.partition): answer.result(ANSWER_S).offset for tp, answer in answers.items()}


def _commit(consumer: Consumer, offsets: list[TopicPartition]) -> KafkaError | None:
    try:
        found = consumer.commit(offsets=offsets, asynchronous=False) or []
    except KafkaException as exc:
        error: KafkaError = exc.args[0]
        return error
    return next((one.error for one in found if one.error is not None), None)


@contextmanager
def _explained(group: str) -> Iterator[None]:
    try:
        yield
    except KafkaException as exc:
        raise ResetError(f"{group}: {exc.args[0].str()}") from None
    except TimeoutError:
        raise ResetError(f"{group}: Kafka does not answer within {ANSWER_S:g} s") from None
