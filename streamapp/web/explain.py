"""Views of joins: which there are, and what became of a record, from the worker that has its partition."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final, cast

import aiohttp
import msgspec
from faust import web
from faust.types import TP
from faust.web.exceptions import ServiceUnavailable
from yarl import URL

from streamapp.explain.explainer import PATIENCE, Explainer
from streamapp.kafka.log_reader import LogError, MissingError
from streamapp.web.asked import INT32, INT64, number, parameters
from streamapp.web.tables import StateView

__all__ = ["JoinInfo", "blueprint"]

#: Seconds that another worker may take: topics are read for the answer.
HOP_TIMEOUT: Final = aiohttp.ClientTimeout(total=3 * PATIENCE)


class JoinInfo(msgspec.Struct, frozen=True):
    """What ``/joins/{name}/`` answers."""

    name: str
    #: The topics that it reads.
    topics: list[str]
    #: The table that has its state.
    table: str


blueprint = web.Blueprint("joins")


class JoinView(StateView):
    """What the views of joins have in common."""

    async def dispatch(self, request: Any) -> Any:
        """Answer 404 for what is not in a topic, and 503 while the broker is away."""
        try:
            return await super().dispatch(request)
        except MissingError as exc:
            return await self.on_request_error(request, self.NotFound(str(exc)))
        except LogError as exc:
            return await self.on_request_error(request, ServiceUnavailable(str(exc)))

    @property
    def explainers(self) -> dict[str, Explainer]:
        """The joins that can be asked, by name."""
        app: Any = self.app
        return cast("dict[str, Explainer]", app.explainers)

    def explainer(self, name: str) -> Explainer:
        """Give a join by its name.

        Raises:
            NotFound: if there is none.
        """
        try:
            return self.explainers[name]
        except KeyError:
            raise self.NotFound("unknown join", name=name) from None

    def topic(self, explainer: Explainer, name: str) -> str:
        """Give the full name of a topic that a join reads.

        Raises:
            NotFound: if it reads no such topic.
        """
        app: Any = self.app
        for full_name in (name, app.settings.topic(name)):
            if full_name in explainer.sources:
                return full_name
        raise self.NotFound("the join does not read this topic", join=explainer.join.name, topic=name)

    def info(self, explainer: Explainer) -> JoinInfo:
        """Describe a join."""
        return JoinInfo(explainer.join.name, list(explainer.sources), explainer.join.table.name)


@blueprint.route("/", name="list")
class Joins(JoinView):
    """All joins."""

    async def get(self, _request: web.Request) -> web.Response:
        """Describe each join."""
        return self.struct([self.info(one) for _, one in sorted(self.explainers.items())])


@blueprint.route("/{name}/", name="detail")
class JoinDetail(JoinView):
    """One join."""

    async def get(self, _request: web.Request, name: str) -> web.Response:
        """Describe a join."""
        return self.struct(self.info(self.explainer(name)))


@blueprint.route("/{name}/{topic}/", name="find")
class Find(JoinView):
    """The first record of a key and a time: ``?key=…&time=…``, in ms."""

    async def get(self, request: web.Request, name: str, topic: str) -> web.Response:
        """Send to where the record is explained."""
        explainer = self.explainer(name)
        given = parameters(request)
        if not {"key", "time"} <= given.keys():
            raise self.ParseError("say which record: ?key=KEY&time=MS, or …/PARTITION/OFFSET/")
        time = number(given["time"].decode(errors="replace"), "time", INT64)
        place = await explainer.find(self.topic(explainer, topic), given["key"], time)
        path = f"/joins/{name}/{place.topic}/{place.partition}/{place.offset}/"
        where = str(URL.build(path=path))
        return self.json({"see": where}, status=HTTPStatus.FOUND, headers={"Location": where})


@blueprint.route("/{name}/{topic}/{partition}/{offset}/", name="explain")
class Explain(JoinView):
    """What became of a record."""

    async def get(self, request: web.Request, name: str, topic: str, partition: str, offset: str) -> web.Response:
        """Answer here, or ask the worker that has the partition."""
        explainer = self.explainer(name)
        tp = TP(self.topic(explainer, topic), number(partition, "partition", INT32))
        at = number(offset, "offset", INT64)
        (owner,) = self.router.asked([self.router.owner(explainer.join.table.name, tp.partition)], request)
        if not owner.here:
            return await self.router.ask(owner, self.web, request, HOP_TIMEOUT)
        self.check_recovered()
        try:
            return self.struct(await explainer.explain(tp, at))
        except KeyError:  # a rebalance came while topics were read
            raise self.router.moving() from None
