"""Carries a plan out: new partitions first, then the rows, then the tombstones where they were."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException, Message, Producer
from faust.types import TP

from streamapp.joins.rows import Row
from streamapp.kafka.admin import Cluster, ClusterError
from streamapp.kafka.clients import librdkafka
from streamapp.kafka.log_reader import Log
from streamapp.kafka.producer import TUNING
from streamapp.kafka.topic_configs import INTERNAL
from streamapp.repartitioning.plan import PATIENCE_S, Move, Plan
from streamapp.repartitioning.rows import rows_of
from streamapp.settings import Settings
from streamapp.worker.growth import moving_to

__all__ = ["check_no_workers", "execute"]


def check_no_workers(cluster: Cluster, group: str) -> None:
    """Make sure that no worker of a group runs.

    Raises:
        ClusterError: if one does, or nobody can say.
    """
    try:
        found = cluster.admin.describe_consumer_groups([group], request_timeout=30.0)[group].result()
    except KafkaException as exc:
        raise ClusterError(f"cannot tell whether workers of {group} run: {exc.args[0].str()}") from None
    if found.state not in {ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD}:
        raise ClusterError(
            f"{len(found.members)} workers of {group} run: stop them first (one that was killed counts until its "
            "session timeout)"
        )


def execute(settings: Settings, cluster: Cluster, plan: Plan) -> None:
    """Carry a plan out; while it is under way no worker starts, and one that was broken off is to be begun again.

    The offsets of the group stay: of the old partitions it goes on, and the new ones it reads from their beginning.

    Raises:
        ClusterError: if the broker refuses.
    """
    check_no_workers(cluster, settings.id)
    for move in plan.moves:
        cluster.ensure([moving_to(move.changelog)], partitions=move.before, config=INTERNAL)
    cluster.add_partitions({topic: after for topic, (_, after) in plan.added.items()})
    for move in plan.moves:
        if cluster.partitions()[move.changelog] < move.after:
            cluster.add_partitions({move.changelog: move.after})
        _Mover(settings, move).run(plan.unread.keys)
        cluster.delete(moving_to(move.changelog))


class _Mover:
    """Moves the rows of one table.

    Args:
        settings: where the broker is.
        move: what is to be moved.
    """

    def __init__(self, settings: Settings, move: Move) -> None:
        self._settings = settings
        self._move = move
        self._error = ""
        self._producer = Producer(librdkafka(settings, {**TUNING, "on_delivery": self._delivered}))

    def run(self, left: Collection[bytes]) -> None:
        """Move them; rows of the keys that are left stay where they were, besides.

        Raises:
            ClusterError: if the broker refuses.
        """
        # Kept beside are the keys only: the rows of one partition at a time are in memory.
        done: list[tuple[bytes, int]] = []
        with Log(self._settings, PATIENCE_S) as log:
            for number in range(self._move.before):
                for key, row, there in self._moving(number, rows_of(log, TP(self._move.changelog, number))):
                    if row is not None:
                        self._send(key, there, row)
                    if key not in left:
                        done.append((key, number))
        self._flush()
        for key, number in done:
            self._send(key, number, None)
        self._flush()

    def _moving(self, number: int, rows: dict[bytes, Row]) -> Iterator[tuple[bytes, Row | None, int]]:
        """Go through the keys that leave a partition; what an earlier move has left there is not taken along."""
        move = self._move
        for key, row in rows.items():
            if (there := move.place(key, move.after)) != number:
                yield key, row if move.place(key, move.before) == number else None, there

    def _send(self, key: bytes, partition: int, row: Row | None) -> None:
        value: dict[str, Any] = {} if row is None else {"value": row.value, "timestamp": row.timestamp}
        while True:
            try:
                self._producer.produce(self._move.changelog, key=key, partition=partition, **value)
            except BufferError:
                self._producer.poll(0.1)
            else:
                self._producer.poll(0)
                return

    def _flush(self) -> None:
        while len(self._producer):
            self._producer.flush(1.0)
        if self._error:
            raise ClusterError(f"the rows of {self._move.changelog} are moved in part only: {self._error}")

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and not self._error:
            self._error = error.str()
