"""Views of joins: which there are, and what became of a record, from the worker that has its partition."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import aiohttp
import msgspec
from aiohttp import web
from faust.types import TP
from faust.web.exceptions import NotFound, ParseError
from yarl import URL

from streamapp.explain.answer import Answer, JoinInfo
from streamapp.explain.explainer import ANSWER_TIMEOUT_S, Explainer
from streamapp.formats.undecodable import Undecodable
from streamapp.topology import App
from streamapp.web.answers import answer
from streamapp.web.operations import Parameter, get
from streamapp.web.requests import APP, INT32_MAX, INT64_MAX, number, parameters
from streamapp.web.router import HOP, router_of
from streamapp.web.tables import check_recovered

__all__ = ["operations"]

#: What another worker may take: topics are read for the answer.
HOP_TIMEOUT: Final = aiohttp.ClientTimeout(total=3 * ANSWER_TIMEOUT_S)


class Found(msgspec.Struct, frozen=True):
    """What ``/joins/{name}/{topic}/?key=…&time=…`` answers: where the record is explained."""

    see: str


def _info(explainer: Explainer) -> JoinInfo:
    return JoinInfo(explainer.join.name, explainer.topics, explainer.join.table.name)


async def joins(request: web.Request) -> web.Response:
    """Describe each join."""
    return answer([_info(one) for _, one in sorted(request.app[APP].explainers.items())])


async def join(request: web.Request) -> web.Response:
    """Describe a join."""
    return answer(_info(_explainer(request)))


async def find(request: web.Request) -> web.Response:
    """Lead to where the first record of a key and a time is explained: ``?key=…&time=…``, in ms."""
    explainer, given = _explainer(request), parameters(request)
    if not {"key", "time"} <= given.keys():
        raise ParseError("say which record: ?key=KEY&time=MS, or …/PARTITION/OFFSET/")
    time = number(given["time"].decode(errors="replace"), "time", INT64_MAX)
    topic = _topic(request, explainer)
    try:
        place = await explainer.find(topic, given["key"], time)
    except Undecodable as exc:
        raise ParseError(f"that is no key of {topic}: {exc}") from None
    path = f"/joins/{explainer.join.name}/{place.topic}/{place.partition}/{place.offset}/"
    where = str(URL.build(path=path))
    return answer(Found(where), HTTPStatus.FOUND, {"Location": where})


async def explain(request: web.Request) -> web.StreamResponse:
    """Say what became of a record, or ask the worker that has the partition."""
    explainer, router = _explainer(request), router_of(request.app[APP])
    given = request.match_info
    tp = TP(_topic(request, explainer), number(given["partition"], "partition", INT32_MAX))
    offset = number(given["offset"], "offset", INT64_MAX)
    owner = router.owner(explainer.join.table.name, tp.partition, request.headers.get(HOP))
    if not owner.here:
        return await router.ask(owner, request, HOP_TIMEOUT)
    check_recovered(request.app[APP])
    try:
        return answer(await explainer.explain(tp, offset))
    except KeyError:  # a rebalance came while topics were read
        raise router.moving() from None


def _explainer(request: web.Request) -> Explainer:
    name = request.match_info["name"]
    try:
        return request.app[APP].explainers[name]
    except KeyError:
        raise NotFound("unknown join", name=name) from None


def _topic(request: web.Request, explainer: Explainer) -> str:
    app: App = request.app[APP]
    name = request.match_info["topic"]
    for full_name in (name, app.settings.topic(name)):
        if full_name in explainer.topics:
            return full_name
    raise NotFound("the join does not read this topic", join=explainer.join.name, topic=name)


BAD: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)
operations = [
    get("/joins/", joins, answers=(list[JoinInfo],)),
    get("/joins/{name}/", join, answers=(JoinInfo,), errors=(HTTPStatus.NOT_FOUND,)),
    get(
        "/joins/{name}/{topic}/",
        find,
        answers=(Found,),
        parameters=(
            Parameter("key", "of the record"),
            Parameter("time", "its event time (ms)", {"type": "integer", "minimum": 0, "maximum": INT64_MAX}),
        ),
        errors=BAD,
        status=HTTPStatus.FOUND,
    ),
    get("/joins/{name}/{topic}/{partition}/{offset}/", explain, answers=(list[Answer],), errors=BAD),
]
