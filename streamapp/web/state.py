"""Tables as JSON, from any worker: how much they have, where and how fresh that is, and rows by key."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import web
from faust.web.exceptions import ParseError, ServiceUnavailable
from msgspec.structs import asdict
from yarl import URL

from streamapp.state.pages import CountPage, RowFound, RowsPage
from streamapp.state.rows import shown
from streamapp.state.tables import Kind, PartitionState, TableState, at, kind_of, measured
from streamapp.stores.snapshot import ClosedError
from streamapp.topology import App
from streamapp.web.answers import answer, error
from streamapp.web.operations import Parameter, get
from streamapp.web.requests import APP, key_in_path, known, parameters
from streamapp.web.requests import shown as shown_text
from streamapp.web.router import HOP, Owner, router_of, table_of, understood
from streamapp.web.row_pages import PAGE_PARAMETERS, count, rows
from streamapp.web.tables import check_recovered
from streamapp.worker.table import Table

__all__ = ["KEY_PARAMETERS", "key_in_query", "operations"]

KEY_PARAMETERS: Final = (
    Parameter("key", "a key that a path cannot have, such as `..`"),
    Parameter("key_base64", "a key that is no text"),
)


async def tables(request: web.Request) -> web.Response:
    """List the tables of the group, with their partitions wherever they are."""
    app = request.app[APP]
    known(parameters(request), ())
    check_recovered(app)
    return answer(await _states(request, [table_of(app, name) for name in sorted(app.tables)]))


async def table(request: web.Request) -> web.StreamResponse:
    """Describe a table, with its partitions wherever they are; with a key, return its row."""
    app = request.app[APP]
    given = known(parameters(request), KEY_PARAMETERS)
    found = table_of(app, request.match_info["name"])
    if given:
        return await _row(request, found, key_in_query(given))
    check_recovered(app)
    (state,) = await _states(request, [found])
    return answer(state)


async def row(request: web.Request) -> web.StreamResponse:
    """Return the row of a key, which need not be committed yet."""
    known(parameters(request), ())
    return await _row(request, table_of(request.app[APP], request.match_info["name"]), key_in_path(request, 4))


def key_in_query(given: Mapping[str, bytes]) -> bytes:
    """Return the key that a query has; a ParseError if it has none."""
    if "key" in given:
        return given["key"]
    try:
        return base64.b64decode(given["key_base64"], validate=True)
    except (KeyError, binascii.Error):
        raise ParseError("say which key: key=KEY, or key_base64= with its bytes in base64") from None


async def _row(request: web.Request, table: Table, key: bytes) -> web.StreamResponse:
    """Look a row up here, or ask the worker that has it; as in `streamapp.web.tables`, 503 is not taken for 404."""
    app, router = request.app[APP], router_of(request.app[APP])
    if (kind := kind_of(table)) is not Kind.TABLE:
        raise ParseError(f"{table.name} is the state of the {kind} {table.name}: ask /api/joins/{table.name}/KEY")
    for owner in router.owners(table.name, key, request.headers.get(HOP)):
        response = await (_look_up(app, table, owner.partition, key) if owner.here else router.ask(owner, request))
        if response.status != HTTPStatus.NOT_FOUND:
            break
    return response


async def _look_up(app: App, table: Table, partition: int, key: bytes) -> web.Response:
    check_recovered(app)
    try:
        # First: then the row may have more than is said, and not less.
        read_at = await at(app, table, partition)
        rows = table.owned[partition]
        found = next(((form, row) for form in table.key_forms(key) if (row := rows.get(form)) is not None), None)
        if found is None:
            return error(HTTPStatus.NOT_FOUND, "key not found", key=shown_text(key), table=table.name)
        committed = rows.is_committed(found[0])
    except (KeyError, ClosedError):  # a rebalance came meanwhile
        raise router_of(app).moving() from None
    form, row = found
    text = form if table.as_text is None else table.as_text(form)
    row_shown = asdict(shown(text, row, table.shown))
    return answer(RowFound(**row_shown, table=table.name, committed=committed, at=read_at))


async def _states(request: web.Request, found: list[Table]) -> list[TableState]:
    """Describe tables: what this worker has, and what the others have, unless one of them asks."""
    app, router = request.app[APP], router_of(request.app[APP])
    here = [await measured(app, one) for one in found]
    if request.headers.get(HOP) is not None:
        return here
    others = {owner.url: owner for one in found for owner in router.others(one)}
    told = [here, *await asyncio.gather(*(_told(request, owner) for owner in others.values()))]
    return [_placed(router.count(one), state, told) for one, state in zip(found, here, strict=True)]


async def _told(request: web.Request, owner: Owner) -> list[TableState]:
    """Return what another worker has, or why that is not known."""
    app = request.app[APP]
    try:
        response = await router_of(app).ask(owner, request)
        if response.status != HTTPStatus.OK:
            return _missing(app, owner, f"its worker answers {response.status}")
        body = response.body if isinstance(response.body, bytes) else b""
        return understood(body if body.startswith(b"[") else b"[%b]" % body, list[TableState], owner)
    except ServiceUnavailable as exc:
        return _missing(app, owner, exc.detail)


def _missing(app: App, owner: Owner, reason: str) -> list[TableState]:
    """Return the partitions that a worker has which does not answer."""
    states = []
    for name in sorted(app.tables):
        one = table_of(app, name)
        topic = one.changelog_topic_name
        workers = app.assignor.table_metadata(topic).items()
        numbers = [number for url, topics in workers if URL(url) == owner.url for number in topics.get(topic, ())]
        gone = [PartitionState(partition=number, owner=str(owner.url), reason=reason) for number in numbers]
        states.append(TableState.of(one).with_partitions(gone))
    return states


def _placed(partitions: int, here: TableState, told: Iterable[Iterable[TableState]]) -> TableState:
    """Return a table with each partition as the worker that has it tells, or that none is known to have it."""
    found = {
        number: PartitionState(partition=number, reason="no worker is known to have it") for number in range(partitions)
    }
    states = [state for each in told for state in each if state.name == here.name]
    for one in (one for state in states for one in state.partitions):
        known = found.get(one.partition)
        if known is None or known.rows is None or one.rows is not None:
            found[one.partition] = one
    return here.with_partitions(list(found.values()), [one for state in states for one in state.standbys])


BAD, GONE, MANY = HTTPStatus.BAD_REQUEST, HTTPStatus.GONE, HTTPStatus.TOO_MANY_REQUESTS
operations = [
    get("/api/tables", tables, answers=(list[TableState],), errors=(BAD,)),
    get(
        "/api/tables/{name}",
        table,
        answers=(TableState, RowFound),
        parameters=KEY_PARAMETERS,
        errors=(BAD, HTTPStatus.NOT_FOUND),
    ),
    get(
        "/api/tables/{name}/rows",
        rows,
        answers=(RowsPage,),
        parameters=PAGE_PARAMETERS,
        errors=(BAD, HTTPStatus.NOT_FOUND, GONE, MANY),
    ),
    get(
        "/api/tables/{name}/count",
        count,
        answers=(CountPage,),
        parameters=PAGE_PARAMETERS,
        errors=(BAD, HTTPStatus.NOT_FOUND, GONE, MANY),
    ),
    # aiohttp takes braces for no part of a variable unless it is told what the variable may be.
    get("/api/tables/{name}/rows/{key:[^/]+}", row, answers=(RowFound,), errors=(BAD, HTTPStatus.NOT_FOUND)),
]
