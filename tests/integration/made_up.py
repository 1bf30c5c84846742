"""Snapshots of a worker and of its group that a test makes up, of the types that a worker answers with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from streamapp.joins import Balance, Updates
from streamapp.web.funnels import Account, Cause, Clock, Funnel, SampleInfo, Since
from streamapp.web.group_view import GroupView, Lag, PartitionView, WorkerView, topics
from streamapp.web.health import Health, State
from streamapp.web.panels import Panel, Shown
from streamapp.web.snapshot import Buckets, Commits, NewestResults, Result, Snapshot
from streamapp.web.topology import Edge, Kind, Node, Topology, Way

__all__ = ["NOW", "buckets", "funnel", "group", "partition", "snapshot"]

NOW = 1_800_000_000_000
BOUNDS = [0.001, 0.1, 1.0]


def buckets(*counts: int) -> Buckets:
    """A histogram of three bounds."""
    return Buckets(BOUNDS, list(counts) or [0, 0, 0, 0], None)


def funnel(received: int, partitions: Sequence[int] = (0, 1), **changes: Any) -> Funnel:
    """A join of which everything matched but for a tenth, and one record in a hundred."""
    late, missed = received // 100, received // 10
    made = Funnel(
        name="paid",
        noun="join",
        topics=["orders", "payments"],
        partitions=list(partitions),
        since=Since.EVER,
        balance=Balance(received=received, matched=received - missed - late, unmatched=missed, late=late),
        updates=Updates(received=7, applied=6, rejected=1),
        holds=True,
        causes=[
            Cause("orders", "late", Account.LATE, False, late),
            Cause("orders", "unmatched", Account.UNMATCHED, False, missed),
        ],
        clocks=[Clock(number, NOW - 1_000, {"orders": NOW - 1_000, "payments": NOW - 2_000}) for number in partitions],
        explained=True,
    )
    return msgspec.structs.replace(made, **changes)


def snapshot(at: int, received: int = 1_000, **changes: Any) -> Snapshot:
    """How a worker stands so many seconds after `NOW`."""
    ids = {name: f"{kind}:{name}" for name, kind in (("orders", "topic"), ("paid", "join"), ("results", "topic"))}
    nodes = [
        Node(ids["orders"], Kind.TOPIC, "orders", "topic", 0, 0),
        Node(ids["paid"], Kind.OPERATOR, "paid", "join", 1, 0),
        Node(ids["results"], Kind.TOPIC, "results", "topic", 2, 0),
    ]
    edges = [
        Edge(ids["orders"], ids["paid"], Way.INPUT, received),
        Edge(ids["paid"], ids["results"], Way.RESULT, received // 2),
    ]
    worker = "http://127.0.0.1:6066"
    made = Snapshot(
        time=NOW + at * 1000,
        version="1.2.3",
        app="shop",
        guarantee="at_least_once",
        health=Health(worker, "shop-1", True, True, State.READY, {"orders": [0, 1], "payments": [0, 1]}, []),
        read={"orders": received, "payments": 7},
        partitions={"orders": 4, "payments": 4},
        topology=Topology(nodes, edges),
        funnels=[funnel(received)],
        waits=[],
        held=3,
        enforced=0,
        results=[NewestResults("results", received // 2, buckets(0, received // 2, 0, 0), [Result("k", NOW, "{}")])],
        commits=Commits(buckets(4, 3, 2, 1), 0),
        dead_letters=[SampleInfo("orders", 1, 17, "k", NOW, "not_json", "it is none", "")],
        panels=[Panel("Decisions", [Shown("by kind", {"approve": 10, "decline": 1})], {"model": "v7"}, "results")],
    )
    return msgspec.structs.replace(made, **changes)


def partition(topic: str, number: int, owner: str, lag: int | None, **changes: Any) -> PartitionView:
    """A partition that is so far behind."""
    seconds = None if lag is None else float(lag > 0)
    end, committed = (None, None) if lag is None else (1_000 + lag, 1_000)
    made = PartitionView(topic, number, owner, True, NOW / 1000, end, committed, lag, seconds, 10.0, 9.0)
    return msgspec.structs.replace(made, **changes)


def group(at: int, partitions: Sequence[PartitionView]) -> GroupView:
    """How the group stands so many seconds after `NOW`, with the workers that have the partitions."""
    owners = dict.fromkeys(one.owner for one in partitions if one.owner)
    return GroupView(
        group="shop",
        state="Stable",
        guarantee="at_least_once",
        at=NOW / 1000 + at,
        by="shop-1",
        workers=[_worker(owner, number, partitions) for number, owner in enumerate(owners)],
        topics=topics(partitions),
        partitions=list(partitions),
        **msgspec.structs.asdict(Lag.of(partitions)),
    )


def _worker(name: str, number: int, partitions: Sequence[PartitionView]) -> WorkerView:
    assigned: dict[str, list[int]] = {}
    for one in partitions:
        if one.owner == name:
            assigned.setdefault(one.topic, []).append(one.partition)
    url = f"http://127.0.0.1:{6066 + number}"
    return WorkerView(name, "/127.0.0.1", url, True, "", None, "ready", True, [], assigned, {}, None)
