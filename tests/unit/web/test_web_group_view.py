"""The view of a group, put together: what is not known is null, and answers stay small with many partitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import pytest
from faust.types import TP

from streamapp.kafka.members import Described, Member
from streamapp.runtime.history import SLOTS
from streamapp.web.group_history import merged
from streamapp.web.group_view import GroupView, Known, Lag, PartitionView, topics
from streamapp.web.health import State
from streamapp.web.worker_part import HistoryPart, PartitionPart, SeriesPart, WorkerPart
from streamapp.worker.lag_watch import STALE_S

NOW = 1_700_000_000.0


def told(topic: str, number: int, *, lag: int | None = 5, at: float = NOW) -> PartitionPart:
    return PartitionPart(topic, number, at, 1_000_000 + (lag or 0), 1_000_000, lag or 0, 0.5, 1_234.5, 1_234.5)


def part(name: str, partitions: Sequence[PartitionPart]) -> WorkerPart:
    return WorkerPart(name, f"http://{name}:6066", State.READY, True, [], "at_least_once", NOW, list(partitions), None)


def member(name: str, assigned: Mapping[str, Sequence[int]]) -> Member:
    return Member(f"{name}-1", name, "10.0.0.1", f"http://{name}:6066", assigned, {})


def known(answers: Mapping[str, WorkerPart | str], heard: Mapping[str, WorkerPart] | None = None) -> Known:
    """Make a group of workers that have a partition of clicks each, in the order of their names."""
    members = [member(name, {"clicks": [number]}) for number, name in enumerate(sorted(answers))]
    return Known(Described("Stable", members), answers, heard or {}, {"clicks": len(members)}, (), NOW)


def only(group: Known, offsets: Mapping[TP, tuple[int, int]] | None = None) -> PartitionView:
    (view,) = group.partitions(offsets or {})
    return view


def test_a_partition_is_as_its_owner_tells() -> None:
    view = only(known({"w1": part("w1", [told("clicks", 0)])}))
    assert (view.owner, view.told, view.at, view.lag, view.written_per_s) == ("w1", True, NOW, 5, 1_234.5)


def test_of_a_silent_owner_the_broker_tells_the_lag() -> None:
    group = known({"w1": "no answer within 2 s"})
    assert group.silent == [TP("clicks", 0)]
    view = only(group, {TP("clicks", 0): (12, 10)})
    assert (view.told, view.at, view.end, view.committed, view.lag, view.lag_seconds) == (False, NOW, 12, 10, 2, None)


def test_a_lag_that_nobody_tells_is_not_known_and_what_was_told_last_keeps_its_time() -> None:
    before = part("w1", [told("clicks", 0, at=NOW - 60)])
    view = only(known({"w1": "refused"}, {"w1": before}))
    assert (view.at, view.end, view.committed, view.lag, view.lag_seconds) == (
        NOW - 60, 1_000_005, 1_000_000, None, None,
    )  # fmt: skip
    assert only(known({"w1": "refused"})).at is None


def test_a_sample_that_a_worker_took_long_ago_is_none_of_now() -> None:
    old = part("w1", [told("clicks", 0, at=NOW - STALE_S)])
    group = known({"w1": old}, {"w1": old})
    assert group.silent == [TP("clicks", 0)]
    assert (only(group).told, only(group).lag, only(group).at) == (False, None, NOW - STALE_S)


def test_a_sum_with_a_lag_that_is_not_known_is_not_known_and_says_of_how_many() -> None:
    partitions = known({"w1": part("w1", [told("clicks", 0)]), "w2": "refused"}).partitions({})
    assert Lag.of(partitions) == Lag(None, 5, 1, None)
    (topic,) = topics(partitions)
    assert (topic.lag, topic.known_lag, topic.unknown, topic.lag_seconds, topic.written_per_s) == (
        None, 5, 1, None, None,
    )  # fmt: skip
    assert Lag.of(partitions[:1]) == Lag(5, 5, 0, 0.5)


def test_a_partition_that_nobody_has_is_there() -> None:
    group = Known(Described("Stable", []), {}, {}, {"clicks": 2}, (), NOW)
    partitions = group.partitions({})
    assert [(one.partition, one.owner, one.lag) for one in partitions] == [(0, "", None), (1, "", None)]
    assert topics(partitions)[0].unowned == [0, 1]


#: Of a larger group.
WORKERS, PARTITIONS, TOPICS = 10, 64, ("user_profiles", "user_clicks", "shop-user_clicks-by-campaign")


def dealt() -> dict[str, list[tuple[str, int]]]:
    """Give partitions to the workers by turns."""
    names = [f"shop-host-{number}.example.com-6066" for number in range(WORKERS)]
    return {
        name: [(topic, number) for topic in TOPICS for number in range(place, PARTITIONS, WORKERS)]
        for place, name in enumerate(names)
    }


def test_the_view_of_10_workers_with_64_partitions_of_3_topics_takes_less_than_80_kb() -> None:
    answers = {name: part(name, [told(*tp, lag=123_456) for tp in tps]) for name, tps in dealt().items()}
    members = [
        member(name, {topic: [n for each, n in tps if each == topic] for topic in TOPICS})
        for name, tps in dealt().items()
    ]
    group = Known(Described("Stable", members), answers, answers, dict.fromkeys(TOPICS, PARTITIONS), (), NOW)
    partitions = group.partitions({})
    assert group.silent == []
    view = GroupView(
        group="shop", state="Stable", guarantee="exactly_once", at=NOW, by="w", workers=group.workers(),
        topics=topics(partitions), partitions=partitions, **msgspec.structs.asdict(Lag.of(partitions)),
    )  # fmt: skip
    assert (len(view.partitions), view.lag) == (PARTITIONS * len(TOPICS), 123_456 * PARTITIONS * len(TOPICS))
    assert len(msgspec.json.encode(view)) < 80_000


@pytest.mark.parametrize(("points", "most"), [(20, 250_000), (SLOTS, 2_000_000)])
def test_the_history_of_all_their_partitions_stays_small(points: int, most: int) -> None:
    slots = list(range(340_000_000, 340_000_000 + points))
    numbers = [1_000_000_000 + 12_345 * place for place in range(points)]
    parts = [
        HistoryPart([SeriesPart(*tp, slots, numbers, numbers, [12.3] * points, [1] * points) for tp in tps])
        for tps in dealt().values()
    ]
    found = merged(parts, dict.fromkeys(TOPICS, PARTITIONS), [])
    assert len(found.series) == PARTITIONS * len(TOPICS)
    assert len(msgspec.json.encode(found)) < most
