"""Carries a plan out: new partitions first, then the rows, then the tombstones where they were."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from faust.types import TP

from streamapp.kafka.admin import Cluster, ClusterError
from streamapp.kafka.consumer_group import ConsumerGroup
from streamapp.kafka.log_reader import Log
from streamapp.kafka.producer import Producer
from streamapp.kafka.topic_configs import INTERNAL
from streamapp.repartitioning.plan import SILENCE_S, Move, Plan, rows_of
from streamapp.settings import Settings
from streamapp.worker.growth import moving_to

__all__ = ["execute"]

#: Seconds that a record may take to arrive.
ARRIVE_S: Final = 120.0


def execute(cluster: Cluster, plan: Plan) -> None:
    """Carry a plan out; while it is under way no worker starts, and one that was broken off is to be begun again.

    The offsets of the group stay: of the old partitions it goes on, and the new ones it reads from their beginning.

    Raises:
        ClusterError: if the broker refuses.
        LogError: if it does not answer.
    """
    ConsumerGroup(cluster, cluster.settings.id).check_empty()
    for move in plan.moves:
        cluster.ensure([moving_to(move.changelog)], partitions=move.before, config=INTERNAL)
    cluster.add_partitions({topic: after for topic, (_, after) in plan.added.items()})
    for move in plan.moves:
        if cluster.partitions()[move.changelog] < move.after:
            cluster.add_partitions({move.changelog: move.after})
        _move_rows(cluster.settings, move, plan.unread_keys)
        cluster.delete(moving_to(move.changelog))


def _move_rows(settings: Settings, move: Move, left: Collection[bytes]) -> None:
    """Move the rows of a table; those of the keys that are left stay where they were, besides."""
    producer = Producer(settings, timeout=ARRIVE_S)
    # Kept are the keys only: the rows of one partition at a time are in memory.
    moved: list[tuple[bytes, int]] = []
    with Log(settings, SILENCE_S) as log:
        for number in range(move.before):
            for key, row in rows_of(log, TP(move.changelog, number)).items():
                if (there := move.place(key, move.after)) == number:
                    continue
                if move.place(key, move.before) == number:  # else an earlier move has left it here
                    producer.send(move.changelog, key, row.value, row.timestamp, partition=there)
                if key not in left:
                    moved.append((key, number))
    _flush(producer)
    for key, number in moved:
        producer.send(move.changelog, key, None, partition=number)
    _flush(producer)


def _flush(producer: Producer) -> None:
    producer.flush(ARRIVE_S)
    if producer.error:
        raise ClusterError(f"the rows are moved in part only, try again: {producer.error}")
