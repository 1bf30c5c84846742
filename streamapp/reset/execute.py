"""A new start, carried out."""

from __future__ import annotations

from collections.abc import Iterable

from faust.types import TP

from streamapp.extras import Extra, require
from streamapp.kafka.admin import Cluster
from streamapp.reset.errors import ResetError
from streamapp.reset.group import Group
from streamapp.reset.plan import Emptied, Plan
from streamapp.reset.stores import remove
from streamapp.reset.topics import empty, make_anew
from streamapp.reset.where import Kind, Where
from streamapp.settings import Settings
from streamapp.stores.errors import StoreError, StoreUnreachableError

__all__ = ["execute"]


def execute(plan: Plan, settings: Settings, cluster: Cluster, group: Group) -> None:
    """Do what a plan says.

    The offsets come last: a start that was broken off before leaves an empty state, which a worker notices and refuses.

    Raises:
        ResetError: if it cannot be done; what is done by then may be done again.
        ClusterError: if the broker is not there.
    """
    if plan.redis:
        require(Extra.REDIS)
    group.check_empty()
    for changelog in plan.changelogs:
        make_anew(cluster, changelog.topic)
    for internal in plan.internal:
        empty(cluster, internal.topic, internal.partitions)
    try:
        remove(plan.directories)
        if plan.redis:
            from streamapp.stores import redis  # only for who needs it: its import takes a while

            redis.forget(settings, plan.redis)
    except OSError as exc:
        raise ResetError(f"{exc.filename} cannot be removed: {exc.strerror}") from None
    except (StoreError, StoreUnreachableError) as exc:
        raise ResetError(f"{exc}") from None
    own = group.find(dict.fromkeys(_partitions(plan.internal), Where(Kind.NOW)))
    group.place({move.tp: move.after for move in plan.moves} | own)


def _partitions(topics: Iterable[Emptied]) -> list[TP]:
    return [TP(each.topic, number) for each in topics for number in range(each.partitions)]
