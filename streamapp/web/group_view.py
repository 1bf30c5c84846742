"""The view of a group, put together: by what the coordinator, the workers and the broker have told.

What nobody can tell is null, and never 0: a lag that is not known may be any.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import msgspec
from faust.types import TP
from msgspec.structs import asdict

from streamapp.kafka.members import Described, Member
from streamapp.web.worker_part import PartitionPart, RecoveryPart, WorkerPart, largest
from streamapp.worker.lag_watch import STALE_S, read_by_group

__all__ = ["GroupView", "Known", "Lag", "Offsets", "PartitionView", "TopicView", "WorkerView", "topics"]

#: The end and the committed offset of a partition, as the broker tells them now.
Offsets = tuple[int, int]


class WorkerView(msgspec.Struct, frozen=True):
    """A member of the group."""

    member: str
    #: Address that the broker sees.
    host: str
    #: Of its views; "" = not told.
    url: str
    #: Whether it has answered; why not, if it has not.
    answers: bool
    error: str
    #: When it was last heard of here (s since 1970); null = never.
    heard: float | None
    #: As it said then; "unknown" = it never did.
    state: str
    ready: bool
    problems: list[str]
    #: By topic, the partitions that it reads, and that it only keeps the rows of.
    assigned: dict[str, list[int]]
    standbys: dict[str, list[int]]
    recovery: RecoveryPart | None


class PartitionView(msgspec.Struct, frozen=True):
    """A partition, and the member that has it."""

    topic: str
    partition: int
    #: "" = none has.
    owner: str
    #: Whether that has told how it stands now; otherwise the offsets are the broker's, or what it said last.
    told: bool
    #: When this was so (s since 1970); null = nobody can tell anything.
    at: float | None
    #: The offset that the next record will have, and that the group goes on from.
    end: int | None
    committed: int | None
    #: Offsets that are not committed yet; null = not known now, though it may have been at `at`.
    lag: int | None
    #: Age of the first record that is not committed, by its event time and the wall clock; 0 = there is none, null = it
    #: is not known.
    lag_seconds: float | None
    #: Offsets a second of the last minute; null = not known.
    written_per_s: float | None
    committed_per_s: float | None


class TopicView(msgspec.Struct, frozen=True):
    """A topic: the sums of its partitions."""

    topic: str
    partitions: int
    #: null = of a partition it is not known.
    lag: int | None
    #: Of the partitions of which it is known, and how many the others are.
    known_lag: int
    unknown: int
    #: Of the partition where it is the largest.
    lag_seconds: float | None
    written_per_s: float | None
    committed_per_s: float | None
    #: Partitions that no member has.
    unowned: list[int]


class GroupView(msgspec.Struct, frozen=True):
    """What ``/api/group`` answers."""

    group: str
    #: As Kafka names it: Stable, PreparingRebalance, CompletingRebalance, Empty or Dead.
    state: str
    guarantee: str
    #: When it was made (s since 1970), and the worker that made it.
    at: float
    by: str
    #: null = of a partition it is not known.
    lag: int | None
    #: Of the partitions of which it is known, and how many the others are.
    known_lag: int
    unknown: int
    lag_seconds: float | None
    workers: list[WorkerView]
    topics: list[TopicView]
    partitions: list[PartitionView]


@dataclasses.dataclass(frozen=True)
class Known:
    """What is known of a group at a moment.

    Args:
        group: as its coordinator describes it.
        told: by member, what it has answered, or why it has not.
        heard: what each said last, now or before.
        counts: how many partitions the topics have that the group reads.
        changelogs: the topics of the tables, which are assigned and not read by the group's offsets.
        now: the wall clock (s since 1970).
    """

    group: Described
    told: Mapping[str, WorkerPart | str]
    heard: Mapping[str, WorkerPart]
    counts: Mapping[str, int]
    changelogs: Collection[str]
    now: float

    @functools.cached_property
    def owners(self) -> dict[TP, str]:
        """By partition, also those that nobody has: the member that has it, or ""."""
        read = {topic: count for topic, count in self.counts.items() if self._is_read(topic)}
        found = dict.fromkeys((TP(topic, number) for topic, count in read.items() for number in range(count)), "")
        for member in self.group.members:
            for topic, numbers in member.assigned.items():
                if self._is_read(topic):
                    found |= dict.fromkeys((TP(topic, number) for number in numbers), member.name)
        return dict(sorted(found.items()))

    @property
    def silent(self) -> list[TP]:
        """The partitions of which their owner, if there is one, does not tell how they stand now."""
        said = self._said
        return [tp for tp, owner in self.owners.items() if (owner, tp) not in said]

    def workers(self) -> list[WorkerView]:
        """Return the members."""
        return sorted(map(self._worker, self.group.members), key=lambda one: one.member)

    def partitions(self, offsets: Mapping[TP, Offsets]) -> list[PartitionView]:
        """Return the partitions; `offsets` are the broker's, of those whose owners do not tell."""
        said = self._said
        last = {TP(one.topic, one.partition): one for worker in self.heard.values() for one in worker.partitions}
        views = []
        for tp, owner in self.owners.items():
            one = said.get((owner, tp))
            if one is not None:
                views.append(PartitionView(owner=owner, told=True, **asdict(one)))
            else:
                views.append(self._untold(tp, owner, last.get(tp), offsets.get(tp)))
        return views

    def _is_read(self, topic: str) -> bool:
        return topic not in self.changelogs and read_by_group(topic)

    @functools.cached_property
    def _said(self) -> dict[tuple[str, TP], PartitionPart]:
        """By member and partition, what is told that is of now, by the clock of who tells it."""
        return {
            (name, TP(one.topic, one.partition)): one
            for name, worker in self.told.items()
            if isinstance(worker, WorkerPart)
            for one in worker.partitions
            if worker.at - one.at < STALE_S
        }

    def _worker(self, member: Member) -> WorkerView:
        told, last = self.told[member.name], self.heard.get(member.name)
        return WorkerView(
            member=member.name,
            host=member.host,
            url=member.url,
            answers=isinstance(told, WorkerPart),
            error=told if isinstance(told, str) else "",
            heard=None if last is None else last.at,
            state="unknown" if last is None else last.state.value,
            ready=isinstance(told, WorkerPart) and told.ready,
            problems=[] if last is None else last.problems,
            assigned={
                topic: [*numbers] for topic, numbers in member.assigned.items() if self._is_read(topic) and numbers
            },
            standbys={topic: [*numbers] for topic, numbers in member.standbys.items() if topic in self.changelogs},
            recovery=told.recovery if isinstance(told, WorkerPart) else None,
        )

    def _untold(self, tp: TP, owner: str, last: PartitionPart | None, offsets: Offsets | None) -> PartitionView:
        """Return a partition by what the broker tells; else as it stood when something was told, with no lag of now."""
        if offsets is not None:
            end, committed = offsets
            lag = max(0, end - committed)
            seconds = 0.0 if lag == 0 else None
            return PartitionView(*tp, owner, False, self.now, end, committed, lag, seconds, None, None)
        at, end_then, committed_then = (None, None, None) if last is None else (last.at, last.end, last.committed)
        return PartitionView(*tp, owner, False, at, end_then, committed_then, None, None, None, None)


class Lag(msgspec.Struct, frozen=True):
    """How far some partitions are behind together, by the names that views have for it."""

    lag: int | None
    known_lag: int
    unknown: int
    lag_seconds: float | None

    @classmethod
    def of(cls, partitions: Sequence[PartitionView]) -> Lag:
        """Return that of partitions."""
        known = [one.lag for one in partitions if one.lag is not None]
        if unknown := len(partitions) - len(known):
            return cls(None, sum(known), unknown, None)
        return cls(sum(known), sum(known), 0, largest([one.lag_seconds for one in partitions]))


def topics(partitions: Sequence[PartitionView]) -> list[TopicView]:
    """Return the sums of partitions by topic."""
    found: defaultdict[str, list[PartitionView]] = defaultdict(list)
    for one in partitions:
        found[one.topic].append(one)
    return [
        TopicView(
            topic=topic,
            partitions=len(ones),
            written_per_s=_sum([one.written_per_s for one in ones]),
            committed_per_s=_sum([one.committed_per_s for one in ones]),
            unowned=[one.partition for one in ones if not one.owner],
            **asdict(Lag.of(ones)),
        )
        for topic, ones in found.items()
    ]


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known), 1) if len(known) == len(values) else None
