"""What one worker knows of its group: how its own partitions stand, and stood in the last minutes."""

from __future__ import annotations

import dataclasses
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import cast

import msgspec
from faust.types import TP

from streamapp.runtime.history import SLOTS, Sample
from streamapp.topology import App
from streamapp.web.health import State, health_of
from streamapp.worker.consumer import running
from streamapp.worker.lag_watch import LagWatch
from streamapp.worker.recovery import TableManager

__all__ = [
    "Asked",
    "HistoryPart",
    "PartitionPart",
    "RecoveryPart",
    "SeriesPart",
    "WorkerPart",
    "history",
    "largest",
    "part",
]


class PartitionPart(msgspec.Struct, frozen=True):
    """How a partition stands at the worker that has it."""

    topic: str
    partition: int
    #: When this was so (s since 1970): while the broker is away, or the worker stands still, it gets old.
    at: float
    #: The offset that the next record will have, and that the group goes on from.
    end: int
    committed: int
    #: Offsets that are not committed yet.
    lag: int
    #: Age of the first record that is not committed, by its event time and the wall clock; 0 = there is none, null = it
    #: is not known.
    lag_seconds: float | None
    #: Offsets a second of the last minute; null = not known yet.
    written_per_s: float | None
    committed_per_s: float | None


class RecoveryPart(msgspec.Struct, frozen=True):
    """A recovery that is under way."""

    #: How many partitions of tables are read from their changelogs.
    partitions: int
    rows_read: int
    #: At most: markers of transactions and what was compacted away are among them.
    rows_left: int
    #: As fast as it went so far; null = not known yet.
    seconds_left: float | None


class WorkerPart(msgspec.Struct, frozen=True):
    """What ``/api/group/worker`` answers."""

    #: Its static member id, and the URL by which other workers know it.
    member: str
    url: str
    state: State
    ready: bool
    problems: list[str]
    guarantee: str
    #: When this was said (s since 1970).
    at: float
    partitions: list[PartitionPart]
    recovery: RecoveryPart | None


class SeriesPart(msgspec.Struct, frozen=True):
    """Samples of a partition, or of all those of a topic that this worker has: columns of the same length."""

    topic: str
    #: null = the sums of a topic.
    partition: int | None
    #: The numbers of the samples: one each `EVERY_S` seconds since 1970.
    slots: list[int]
    ends: list[int]
    committed: list[int]
    seconds: list[float | None]
    #: Of how many partitions each is.
    partitions: list[int]


class HistoryPart(msgspec.Struct, frozen=True):
    """What ``/api/group/worker/history`` answers."""

    series: list[SeriesPart]


class Asked(msgspec.Struct, frozen=True):
    """What is asked for of the last minutes."""

    #: None = all.
    topic: str | None = None
    partition: int | None = None
    #: Of all topics: whether of each partition, or of the sums of each topic.
    each: bool = False
    #: How many samples at most; of fewer than there are each is the last one of some.
    points: int = SLOTS

    @property
    def sums(self) -> bool:
        """Whether sums of topics are asked for."""
        return self.topic is None and not self.each

    def has(self, tp: TP) -> bool:
        """Return whether a partition is asked for."""
        return self.topic in {None, tp.topic} and self.partition in {None, tp.partition}


def part(app: App) -> WorkerPart:
    """Return how this worker stands."""
    health, consumer = health_of(app), running(app)
    lags = None if consumer is None else consumer.lags
    partitions = [] if lags is None else [_partition(tp, one, lags) for tp, one in sorted(lags.latest.items())]
    return WorkerPart(
        member=health.member,
        url=health.worker,
        state=health.state,
        ready=health.ready,
        problems=health.problems,
        guarantee=app.settings.processing_guarantee.value,
        at=time.time(),
        partitions=partitions,
        recovery=_recovery(app),
    )


def _partition(tp: TP, sample: Sample, lags: LagWatch) -> PartitionPart:
    written, committed = lags.history.rates(tp) or (None, None)
    seconds = _known(sample.seconds)
    return PartitionPart(*tp, lags.at, sample.end, sample.committed, sample.lag, seconds, written, committed)


def _recovery(app: App) -> RecoveryPart | None:
    restoring = cast(TableManager, app.tables).recovery.restoring
    if restoring is None:
        return None
    return RecoveryPart(len(restoring.stores), restoring.records, restoring.left, restoring.seconds_left)


def history(app: App, asked: Asked) -> HistoryPart:
    """Return the samples of this worker."""
    consumer = running(app)
    if consumer is None:
        return HistoryPart([])
    kept, step = consumer.lags.history, math.ceil(SLOTS / asked.points)
    if asked.sums:
        topics: defaultdict[str, list[TP]] = defaultdict(list)
        for tp in kept.partitions:
            topics[tp.topic].append(tp)
        return HistoryPart([_sums(name, [kept.samples(tp) for tp in tps], step) for name, tps in topics.items()])
    return HistoryPart([_series(tp, dict(kept.samples(tp)), step) for tp in kept.partitions if asked.has(tp)])


@dataclasses.dataclass
class _Sum:
    end: int = 0
    committed: int = 0
    seconds: list[float | None] = dataclasses.field(default_factory=list)
    partitions: int = 0


def _sums(topic: str, series: Iterable[Iterable[tuple[int, Sample]]], step: int) -> SeriesPart:
    sums: defaultdict[int, _Sum] = defaultdict(_Sum)
    for samples in series:
        for slot, one in samples:
            if slot % step == step - 1 or step == 1:
                total = sums[slot]
                total.end += one.end
                # What lags, and not what is committed: a commit may be ahead of the end as it was told before.
                total.committed += one.end - one.lag
                total.seconds.append(_known(one.seconds))
                total.partitions += 1
    slots = sorted(sums)
    found = [sums[slot] for slot in slots]
    return SeriesPart(
        topic,
        None,
        slots,
        [one.end for one in found],
        [one.committed for one in found],
        [largest(one.seconds) for one in found],
        [one.partitions for one in found],
    )


def _series(tp: TP, samples: dict[int, Sample], step: int) -> SeriesPart:
    slots = [slot for slot in samples if slot % step == step - 1]
    found = [samples[slot] for slot in slots]
    return SeriesPart(
        *tp,
        slots,
        [one.end for one in found],
        [one.committed for one in found],
        [_known(one.seconds) for one in found],
        [1] * len(found),
    )


def largest(ages: Sequence[float | None]) -> float | None:
    """Return the largest age (s); null if one that is not known may be larger than all others, which are 0."""
    known = [age for age in ages if age is not None]
    found = max(known, default=0.0)
    return found if found or len(known) == len(ages) else None


def _known(seconds: float) -> float | None:
    return None if math.isnan(seconds) else round(seconds, 1)
