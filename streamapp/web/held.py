"""Joins as JSON, from any worker: which there are, and what they hold for a key."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import web
from faust.web.exceptions import NotFound, ParseError

from streamapp.state.joins import HeldByKey, JoinState, Span, held_for, versioned
from streamapp.state.tables import at
from streamapp.stores.snapshot import ClosedError
from streamapp.topology import App
from streamapp.topology.processor import JoinProcessor
from streamapp.web.answers import answer
from streamapp.web.operations import Parameter, get
from streamapp.web.requests import APP, INT64_MAX, key_in_path, known, number, parameters
from streamapp.web.router import HOP, Owner, router_of, understood
from streamapp.web.state import KEY_PARAMETERS, key_in_query
from streamapp.web.tables import check_recovered

__all__ = ["operations"]

TIME: Final = {"type": "integer", "minimum": 0, "maximum": INT64_MAX}
TIME_PARAMETERS: Final = (
    Parameter("from", "the first event time (ms)", TIME),
    Parameter("to", "the event time (ms) before which they end", TIME),
    Parameter("as_of", "of versioned tables the rows as they were at an event time (ms)", TIME),
)


async def joins(request: web.Request) -> web.Response:
    """List the joins, windows and functions of the app."""
    known(parameters(request), ())
    found = sorted(request.app[APP].joins, key=lambda join: join.name)
    return answer([JoinState.of(join) for join in found])


async def join(request: web.Request) -> web.StreamResponse:
    """Describe a join; with a key, return what it holds for it."""
    given = known(parameters(request), (*KEY_PARAMETERS, *TIME_PARAMETERS))
    found = _join(request)
    if not given:
        return answer(JoinState.of(found))
    return await _held(request, found, key_in_query(given), given)


async def held(request: web.Request) -> web.StreamResponse:
    """Return what a join holds for a key: records that wait or may match, rows, versions, open windows."""
    given = known(parameters(request), TIME_PARAMETERS)
    return await _held(request, _join(request), key_in_path(request, 3), given)


def _join(request: web.Request) -> JoinProcessor[object]:
    name = request.match_info["name"]
    for found in request.app[APP].joins:
        if found.name == name:
            return found
    raise NotFound("unknown join", name=name)


async def _held(
    request: web.Request, join: JoinProcessor[object], key: bytes, given: Mapping[str, bytes]
) -> web.StreamResponse:
    """Ask each worker that may have the key, until one holds something for it: which has it depends on who wrote it."""
    app, router = request.app[APP], router_of(request.app[APP])
    start, stop, as_of = (
        number(given[name].decode(errors="replace"), name, INT64_MAX) if name in given else None
        for name in ("from", "to", "as_of")
    )
    if as_of is not None and not versioned(join):
        raise ParseError("no table of this join keeps past rows: .table(history=…) has one that does", join=join.name)
    nothing: list[web.Response] = []
    owners = router.owners(join.table.name, key, request.headers.get(HOP))
    for owner in owners:
        if owner.here:
            response, found = await _held_here(app, join, owner, key, Span(start, stop), as_of)
        else:
            response = await router.ask(owner, request)
            found = len(owners) == 1 or response.status != HTTPStatus.OK or _has(response, owner)
        if found:
            return response
        nothing.append(response)
    return nothing[0]


async def _held_here(
    app: App, join: JoinProcessor[object], owner: Owner, key: bytes, span: Span, as_of: int | None
) -> tuple[web.Response, bool]:
    """Answer with what a partition of this worker holds, and tell whether that is anything."""
    check_recovered(app)
    try:
        read_at = await at(app, join.table, owner.partition)
        if owner.partition not in join.table.owned:
            raise router_of(app).moving()
        forms = join.table.key_forms(key)
        found = [held_for(join, form, span, as_of, read_at) for form in forms]
        held = next((one for one in found if one.anything), found[0])
    except (KeyError, ClosedError):  # a rebalance came meanwhile
        raise router_of(app).moving() from None
    return answer(held), held.anything


def _has(response: web.Response, owner: Owner) -> bool:
    """Tell whether a partition of another worker holds anything."""
    body = response.body if isinstance(response.body, bytes) else b""
    return understood(body, HeldByKey, owner).anything


BAD, MISSING = HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND
operations = [
    get("/api/joins", joins, answers=(list[JoinState],), errors=(BAD,)),
    get(
        "/api/joins/{name}",
        join,
        answers=(JoinState, HeldByKey),
        parameters=(*KEY_PARAMETERS, *TIME_PARAMETERS),
        errors=(BAD, MISSING),
    ),
    get(
        "/api/joins/{name}/{key:[^/]+}",
        held,
        answers=(HeldByKey,),
        parameters=TIME_PARAMETERS,
        errors=(BAD, MISSING),
    ),
]
