"""The group in one view, from any of its workers: topics, partitions, who has what, and how far behind all are.

The coordinator says who is in the group and has what; each worker how its partitions stand. Of those whose worker gives
no answer the broker is asked for the offsets, and what else is shown is the last that the worker has said here.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

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
from streamapp.web.group_view import GroupView, Known, Lag, Offsets, topics
from streamapp.web.operations import Parameter, get
from streamapp.web.requests import APP, INT32_MAX, number, parameters, shown
from streamapp.web.worker_part import Asked, HistoryPart, WorkerPart, history, part
from streamapp.worker.consumer import Consumer, running

__all__ = ["GROUP", "Group", "operations"]

#: Seconds that the broker has for its answers.
BROKER_TIMEOUT_S: Final = 2.0


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
        changelogs = self.app.tables.changelog_topics
        known = Known(group, told, self._heard, self._counts(group), changelogs, time.time())
        partitions = known.partitions(await self._offsets(consumer, known.silent))
        return GroupView(
            group=self.app.conf.id,
            state=group.state,
            guarantee=self.app.settings.processing_guarantee.value,
            at=known.now,
            by=self.app.settings.member_id(self.app.conf.web_port),
            workers=known.workers(),
            topics=topics(partitions),
            partitions=partitions,
            **asdict(Lag.of(partitions)),
        )

    async def history(self, wanted: Asked) -> GroupHistory:
        """Return the last minutes, as the workers have them.

        Raises:
            ServiceUnavailable: as long as this worker is not a member.
        """
        group = await self._described(self._consumer())
        path = URL("/api/group/worker/history").with_query(_query(wanted))
        others = [member for member in group.members if not self._is_here(member)]
        asked = await asyncio.gather(*(peers.ask(self.app, one.url, str(path), HistoryPart) for one in others))
        parts = [history(self.app, wanted), *(one for one in asked if isinstance(one, HistoryPart))]
        silent = [member.name for member, one in zip(others, asked, strict=True) if isinstance(one, str)]
        return merged(parts, self.app.partition_counts, silent)

    def _counts(self, group: Described) -> dict[str, int]:
        read = self.app.topics_read().union(*(member.assigned for member in group.members))
        return {topic: self.app.partition_counts.get(topic, 0) for topic in read}

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

    async def _offsets(self, consumer: Consumer, tps: Sequence[TP]) -> dict[TP, Offsets]:
        """Ask the broker for the ends and the committed offsets of partitions; none, if it does not tell."""
        if not tps:
            return {}
        try:
            async with asyncio.timeout(BROKER_TIMEOUT_S):
                for topic in {tp.topic for tp in tps}:  # of one whose partitions others read nothing may be known here
                    await consumer.reader.partitions(topic)
                ends = await consumer.lags.ends(tps)
                committed = await consumer.lags.committed(tps)
        except (KafkaError, TimeoutError):
            return {}
        return {tp: (ends[tp], committed[tp]) for tp in tps}


GROUP: Final = web.AppKey[Group]("group", Group)


async def group(request: web.Request) -> web.Response:
    """Show the whole group: its state, workers, topics and partitions, with who has what and how far behind it is."""
    return answer(await request.app[GROUP].view())


async def group_history(request: web.Request) -> web.Response:
    """Show the last 15 minutes of each topic, of all partitions with ``?each=true``, or of those of one ``?topic=``."""
    return answer(await request.app[GROUP].history(_asked(request)))


async def worker(request: web.Request) -> web.Response:
    """Show what this worker tells the others of itself."""
    return answer(part(request.app[APP]))


async def worker_history(request: web.Request) -> web.Response:
    """Show the samples that this worker has."""
    return answer(history(request.app[APP], _asked(request)))


def _asked(request: web.Request) -> Asked:
    given = {name: value.decode(errors="replace") for name, value in parameters(request).items()}
    topic, partition, each = given.get("topic"), given.get("partition"), given.get("each", "false")
    if partition is not None and topic is None:
        raise ParseError("partition= is one of a topic: give topic=, too")
    if each not in {"true", "false"}:
        raise ParseError("each must be true or false", each=shown(each.encode()))
    if topic is not None:
        app = request.app[APP]
        known = app.partition_counts.keys() | app.topics_read()
        topic = app.settings.known_topic(topic, known)
        if topic is None:
            raise NotFound("the group does not read this topic", topic=given["topic"])
    return Asked(
        topic=topic,
        partition=None if partition is None else number(partition, "partition", INT32_MAX),
        each=each == "true",
        points=number(given.get("points", str(SLOTS)), "points", SLOTS, 1),
    )


def _query(wanted: Asked) -> dict[str, str]:
    each = "true" if wanted.each else None
    given = {"topic": wanted.topic, "partition": wanted.partition, "each": each, "points": wanted.points}
    return {name: str(value) for name, value in given.items() if value is not None}


HISTORY_PARAMETERS: Final = (
    Parameter("topic", "whose partitions are shown; without it the sums of all topics"),
    Parameter("partition", "the one that is shown", {"type": "integer", "minimum": 0, "maximum": INT32_MAX}),
    Parameter("each", "whether all partitions of all topics are shown, and no sums", {"type": "boolean"}),
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
