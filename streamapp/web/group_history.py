"""The last minutes of a group's partitions, put together from what each worker has of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

import msgspec

from streamapp.runtime.history import EVERY_S
from streamapp.web.worker_part import HistoryPart, largest

__all__ = ["GroupHistory", "Series", "merged"]


class Series(msgspec.Struct, frozen=True):
    """A partition, or the sums of a topic, over time: columns of the same length, the oldest first."""

    topic: str
    #: null = all partitions of the topic.
    partition: int | None
    #: When (s since 1970).
    at: list[int]
    #: Offsets that were not committed.
    lag: list[int]
    #: Age of the first record that was not committed, of a topic the largest; null = not known.
    lag_seconds: list[float | None]
    #: Offsets a second since the point before; null = there is none of the same partitions.
    written_per_s: list[float | None]
    committed_per_s: list[float | None]
    #: Of how many partitions there are samples: what a dead worker had is gone with it.
    partitions: list[int]


class GroupHistory(msgspec.Struct, frozen=True):
    """What ``/api/group/history`` answers."""

    series: list[Series]
    #: The members that gave no answer: what only they have is missing.
    silent: list[str]


class _Point(NamedTuple):
    end: int = 0
    committed: int = 0
    seconds: float | None = 0.0
    partitions: int = 0

    def plus(self, other: _Point) -> _Point:
        """Return the sums; of the ages the larger one."""
        seconds, partitions = largest([self.seconds, other.seconds]), self.partitions + other.partitions
        return _Point(self.end + other.end, self.committed + other.committed, seconds, partitions)


def merged(parts: Sequence[HistoryPart], counts: Mapping[str, int], silent: Sequence[str]) -> GroupHistory:
    """Put the samples of several workers together.

    Args:
        parts: of each worker that has answered.
        counts: how many partitions the topics have: where two workers have a sample of one partition at a time, as
            when it has just moved, the sums of that time are left out.
        silent: the members that have not answered.
    """
    found: defaultdict[tuple[str, int | None], dict[int, _Point]] = defaultdict(dict)
    for part in parts:
        for one in part.series:
            points = found[one.topic, one.partition]
            points_of = map(_Point, one.ends, one.committed, one.seconds, one.partitions)
            for slot, point in zip(one.slots, points_of, strict=True):
                before = points.get(slot)
                points[slot] = point if before is None or one.partition is not None else before.plus(point)
    series = [
        _series(*of, {slot: one for slot, one in points.items() if one.partitions <= counts.get(of[0], one.partitions)})
        for of, points in sorted(found.items(), key=lambda item: (item[0][0], item[0][1] or 0))
    ]
    return GroupHistory(series, list(silent))


def _series(topic: str, partition: int | None, points: Mapping[int, _Point]) -> Series:
    slots = sorted(points)
    found = [points[slot] for slot in slots]
    pairs = [*zip([None, *slots], slots, [None, *found], found, strict=False)]
    return Series(
        topic=topic,
        partition=partition,
        at=[slot * EVERY_S for slot in slots],
        lag=[max(0, one.end - one.committed) for one in found],
        lag_seconds=[one.seconds for one in found],
        written_per_s=[_rate(*pair, attrgetter("end")) for pair in pairs],
        committed_per_s=[_rate(*pair, attrgetter("committed")) for pair in pairs],
        partitions=[one.partitions for one in found],
    )


def _rate(
    before: int | None, slot: int, last: _Point | None, point: _Point, of: Callable[[_Point], int]
) -> float | None:
    if before is None or last is None or last.partitions != point.partitions:
        return None
    return round(max(0, of(point) - of(last)) / ((slot - before) * EVERY_S), 1)
