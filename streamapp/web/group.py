"""The group in one view, from any of its workers: topics, partitions, who has what, and how far behind all are.

The coordinator says who is in the group and has what; each worker how its partitions stand. Of those whose worker gives
no answer the broker is asked for the offsets, and what else is shown is the last that the worker has said here.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web
from aiokafka.errors import KafkaError
from faust.types import TP
from faust.web.exceptions import NotFound, ParseError, ServiceUnavailable
from msgspec.structs import asdict
from yarl import URL

from streamapp.kafka.members import Described, Member
from streamapp.runtime.history import SLOTS
from streamapp.topology import App
from streamapp.web import peers
from streamapp.web.answers import answer
from streamapp.web.group_history import GroupHistory, merged
from streamapp.web.operations import Parameter, get
from streamapp.web.requests import APP, INT32_MAX, number, parameters
from streamapp.web.worker_part import HistoryPart, PartitionPart, RecoveryPart, WorkerPart, history, part
from streamapp.worker.consumer import Consumer, running
from streamapp.worker.lag_watch import read_by_group

__all__ = ["GROUP", "Group", "GroupView", "PartitionView", "TopicView", "WorkerView", "operations"]

#: Seconds that the broker has for its answers.
BROKER_TIMEOUT_S: Final = 2.0


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
    #: Whether that has told how it stands; otherwise the offsets are the broker's, and the rest what it said last.
    told: bool
    #: The offset that the next record will have, and that the group goes on from; null = nobody can tell.
    end: int | None
    committed: int | None
    #: Offsets that are not committed yet.
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
    lag: int
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
    lag: int
    lag_seconds: float | None
    workers: list[WorkerView]
    topics: list[TopicView]
    partitions: list[PartitionView]


@dataclasses.dataclass
class Group:
    """The group of an app, with what its workers said last."""

    app: App
    #: By member, what it said last.
    _heard: dict[str, WorkerPart] = dataclasses.field(default_factory=dict)

    async def view(self) -> GroupView:
        """Return how the group stands; a ServiceUnavailable as long as this worker is not a member."""
        consumer = self._consumer()
        group = await self._described(consumer)
        names = [member.name for member in group.members]
        told = dict(zip(names, await asyncio.gather(*map(self._ask, group.members)), strict=True))
        self._heard |= {name: one for name, one in told.items() if isinstance(one, WorkerPart)}
        self._heard = {name: self._heard[name] for name in names if name in self._heard}
        workers = [self._worker(member, told[member.name]) for member in group.members]
        partitions = await self._partitions(consumer, group, told)
        return GroupView(
            group=self.app.conf.id,
            state=group.state,
            guarantee=self.app.settings.processing_guarantee.value,
            at=time.time(),
            by=self.app.settings.member_id(self.app.conf.web_port),
            lag=sum(one.lag or 0 for one in partitions),
            lag_seconds=_largest([one.lag_seconds for one in partitions]),
            workers=sorted(workers, key=lambda one: one.member),
            topics=_topics(partitions),
            partitions=partitions,
        )

    async def history(self, topic: str | None, partition: int | None, points: int) -> GroupHistory:
        """Return the last minutes of a topic's partitions, or of the sums of all topics, as the workers have them.

        Raises:
            ServiceUnavailable: as long as this worker is not a member.
        """
        group = await self._described(self._consumer())
        given = [("points", points), ("topic", topic), ("partition", partition)]
        path = URL("/api/group/worker/history").with_query({name: value for name, value in given if value is not None})
        others = [member for member in group.members if not self._is_here(member)]
        asked = await asyncio.gather(*(peers.ask(self.app, one.url, str(path), HistoryPart) for one in others))
        parts = [history(self.app, topic, partition, points), *(one for one in asked if isinstance(one, HistoryPart))]
        silent = [member.name for member, one in zip(others, asked, strict=True) if isinstance(one, str)]
        return merged(parts, self.app.partition_counts, silent)

    def _consumer(self) -> Consumer:
        consumer = running(self.app)
        if consumer is None or consumer.reader.consumer is None:
            raise ServiceUnavailable("the worker is starting; try again")
        return consumer

    async def _described(self, consumer: Consumer) -> Described:
        try:
            async with asyncio.timeout(BROKER_TIMEOUT_S):
                return await consumer.group.described()
        except (KafkaError, TimeoutError) as exc:
            raise ServiceUnavailable(f"the group's coordinator does not answer: {exc!r}") from None

    def _is_here(self, member: Member) -> bool:
        return member.instance == self.app.settings.member_id(self.app.conf.web_port)

    async def _ask(self, member: Member) -> WorkerPart | str:
        if self._is_here(member):
            return part(self.app)
        return await peers.ask(self.app, member.url, "/api/group/worker", WorkerPart)

    def _worker(self, member: Member, told: WorkerPart | str) -> WorkerView:
        last, changelogs = self._heard.get(member.name), self.app.tables.changelog_topics
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
                topic: [*numbers]
                for topic, numbers in member.assigned.items()
                if topic not in changelogs and read_by_group(topic) and numbers
            },
            standbys={topic: [*numbers] for topic, numbers in member.standbys.items() if topic in changelogs},
            recovery=told.recovery if isinstance(told, WorkerPart) else None,
        )

    async def _partitions(
        self, consumer: Consumer, group: Described, told: Mapping[str, WorkerPart | str]
    ) -> list[PartitionView]:
        owners = {
            TP(topic, partition): member
            for member in group.members
            for topic, numbers in member.assigned.items()
            for partition in numbers
        }
        changelogs = self.app.tables.changelog_topics
        topics = ({tp.topic for tp in owners} | self.app.topics_read()) - changelogs
        counts = {topic: self.app.partition_counts.get(topic, 0) for topic in topics if read_by_group(topic)}
        tps = {*owners, *(TP(topic, number) for topic, count in counts.items() for number in range(count))}
        tps = {tp for tp in tps if tp.topic in counts}
        said = {
            (name, TP(one.topic, one.partition)): one
            for name, worker in told.items()
            if isinstance(worker, WorkerPart)
            for one in worker.partitions
        }
        last = {TP(one.topic, one.partition): one for worker in self._heard.values() for one in worker.partitions}
        names = {tp: owners[tp].name if tp in owners else "" for tp in tps}
        silent = [tp for tp in tps if (names[tp], tp) not in said]
        offsets = await self._offsets(consumer, silent)
        views = []
        for tp in sorted(tps):
            one = said.get((names[tp], tp))
            if one is not None:
                views.append(PartitionView(owner=names[tp], told=True, **asdict(one)))
            else:
                views.append(_untold(tp, names[tp], last.get(tp), offsets.get(tp)))
        return views

    async def _offsets(self, consumer: Consumer, tps: Sequence[TP]) -> dict[TP, tuple[int, int]]:
        """Ask the broker for the ends and the committed offsets of partitions; none, if it does not tell."""
        if not tps:
            return {}
        try:
            async with asyncio.timeout(BROKER_TIMEOUT_S):
                for topic in {tp.topic for tp in tps}:  # of one whose partitions others read nothing may be known here
                    await consumer.reader.partitions(topic)
                ends = await consumer.lags.ends(tps)
                committed = await consumer.group.reached(tps)
        except (KafkaError, TimeoutError):
            return {}
        return {tp: (ends[tp], committed.get(tp, 0)) for tp in tps}


def _untold(tp: TP, owner: str, last: PartitionPart | None, offsets: tuple[int, int] | None) -> PartitionView:
    end, committed = offsets or ((last.end, last.committed) if last is not None else (None, None))
    lag = None if end is None or committed is None else max(0, end - committed)
    seconds = 0.0 if lag == 0 else None
    return PartitionView(*tp, owner, False, end, committed, lag, seconds, None, None)


def _topics(partitions: Sequence[PartitionView]) -> list[TopicView]:
    topics: defaultdict[str, list[PartitionView]] = defaultdict(list)
    for one in partitions:
        topics[one.topic].append(one)
    return [
        TopicView(
            topic=topic,
            partitions=len(ones),
            lag=sum(one.lag or 0 for one in ones),
            lag_seconds=_largest([one.lag_seconds for one in ones]),
            written_per_s=_sum([one.written_per_s for one in ones]),
            committed_per_s=_sum([one.committed_per_s for one in ones]),
            unowned=[one.partition for one in ones if not one.owner],
        )
        for topic, ones in topics.items()
    ]


def _largest(values: Sequence[float | None]) -> float | None:
    """Return the largest value; null if one that is not known may be larger than all others, which are 0."""
    known = [value for value in values if value is not None]
    largest = max(known, default=0.0)
    return largest if largest or len(known) == len(values) else None


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known), 1) if known else None


GROUP: Final = web.AppKey[Group]("group", Group)


async def group(request: web.Request) -> web.Response:
    """Show the whole group: its state, workers, topics and partitions, with who has what and how far behind it is."""
    return answer(await request.app[GROUP].view())


async def group_history(request: web.Request) -> web.Response:
    """Show the last 15 minutes of each topic, or with ``?topic=`` of its partitions, or with ``?partition=`` of one."""
    topic, partition, points = _asked(request)
    return answer(await request.app[GROUP].history(topic, partition, points))


async def worker(request: web.Request) -> web.Response:
    """Show what this worker tells the others of itself."""
    return answer(part(request.app[APP]))


async def worker_history(request: web.Request) -> web.Response:
    """Show the samples that this worker has."""
    return answer(history(request.app[APP], *_asked(request)))


def _asked(request: web.Request) -> tuple[str | None, int | None, int]:
    given = {name: value.decode(errors="replace") for name, value in parameters(request).items()}
    topic, partition = given.get("topic"), given.get("partition")
    if partition is not None and topic is None:
        raise ParseError("partition= is one of a topic: give topic=, too")
    points = number(given.get("points", str(SLOTS)), "points", SLOTS)
    if not points:
        raise ParseError(f"points must be a whole number from 1 to {SLOTS}", points="0")
    if topic is not None:
        app = request.app[APP]
        known = app.partition_counts.keys() | app.topics_read()
        topic = topic if topic in known else app.settings.topic(topic)
        if topic not in known:
            raise NotFound("the group does not read this topic", topic=given["topic"])
    return topic, None if partition is None else number(partition, "partition", INT32_MAX), points


HISTORY_PARAMETERS: Final = (
    Parameter("topic", "whose partitions are shown; without it the sums of all topics"),
    Parameter("partition", "the one that is shown", {"type": "integer", "minimum": 0, "maximum": INT32_MAX}),
    Parameter(
        "points",
        "how many at most; of fewer than there are, each is the last one of some",
        {"type": "integer", "minimum": 1, "maximum": SLOTS},
    ),
)
BAD, MISSING = HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND
operations = [
    get("/api/group", group, answers=(GroupView,)),
    get(
        "/api/group/history",
        group_history,
        answers=(GroupHistory,),
        parameters=HISTORY_PARAMETERS,
        errors=(BAD, MISSING),
    ),
    get("/api/group/worker", worker, answers=(WorkerPart,)),
    get(
        "/api/group/worker/history",
        worker_history,
        answers=(HistoryPart,),
        parameters=HISTORY_PARAMETERS,
        errors=(BAD, MISSING),
    ),
]
