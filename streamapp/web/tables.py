"""Table views: the rows, from whichever worker has them, once it has recovered them.

The state of windows is such a table, too: its rows are the results that the open windows of a key have so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import web
from faust.web.exceptions import NotFound, ServiceUnavailable

from streamapp.topology import App, WindowProcessor
from streamapp.web.answers import answer, error
from streamapp.web.health import State, state_of
from streamapp.web.operations import Parameter, get
from streamapp.web.requests import APP, INT64_MAX, key_in_path, number, parameters, shown
from streamapp.web.router import EVENT_TIME, HOP, router_of, table_of
from streamapp.worker.table import Table

__all__ = ["TableInfo", "check_recovered", "operations"]


class TableInfo(msgspec.Struct, frozen=True):
    """What ``/table/{name}/`` answers."""

    name: str
    help: str
    #: The partitions that this worker owns.
    partitions: list[int]
    #: How many rows they have; an estimate for a store on disk.
    rows: int


async def tables(request: web.Request) -> web.Response:
    """Describe each table."""
    app = request.app[APP]
    check_recovered(app)
    found = (table_of(app, name) for name in sorted(app.tables))
    return answer([_info(table) for table in found if _windows_of(table) or not table.ordered])


async def table(request: web.Request) -> web.StreamResponse:
    """Describe a table; with ``?key=…`` look a row up, by a key that a path cannot have."""
    app, key = request.app[APP], parameters(request).get("key")
    found = _table(request)
    if key is not None:
        return await _row(request, found, key)
    check_recovered(app)
    return answer(_info(found))


async def row(request: web.Request) -> web.StreamResponse:
    """Look a row up: the value's JSON, with its event time in a header; of windows, those of a key that are open."""
    return await _row(request, _table(request), key_in_path(request, 2))


def check_recovered(app: App) -> None:
    """Refuse to answer from tables that are not complete; a ServiceUnavailable unless this worker is ready."""
    state = state_of(app)
    if state is not State.READY:
        raise ServiceUnavailable(f"the worker is {state}; try again", owner=str(router_of(app).url), state=state.value)


def _table(request: web.Request) -> Table:
    name = request.match_info["name"]
    found = table_of(request.app[APP], name)
    if found.ordered and _windows_of(found) is None:  # the inner state of a join is none to be looked at
        raise NotFound("unknown table", name=name)
    return found


async def _row(request: web.Request, table: Table, key: bytes) -> web.StreamResponse:
    """Look a row up here, or ask the worker that has it.

    A key is unknown only when every worker that may have it says so: the 503 of one that is down or recovering is not
    taken for a 404.
    """
    app, router = request.app[APP], router_of(request.app[APP])
    windows = _windows_of(table)
    start = None if windows is None else parameters(request).get("start")
    for owner in router.owners(table.name, key, request.headers.get(HOP)):
        if not owner.here:
            response = await router.ask(owner, request)
        elif windows is None:
            response = _look_up(app, table, owner.partition, key)
        else:
            response = _open(app, windows, owner.partition, table.key_forms(key), start)
        if response.status != HTTPStatus.NOT_FOUND:
            break
    return response


def _look_up(app: App, table: Table, partition: int, key: bytes) -> web.Response:
    check_recovered(app)
    try:
        rows = map(table.partition(partition).get, table.key_forms(key))
        found = next((row for row in rows if row is not None), None)
    except KeyError:  # a rebalance came while another worker was asked
        raise router_of(app).moving() from None
    if found is None:
        return error(HTTPStatus.NOT_FOUND, "key not found", key=shown(key), table=table.name)
    headers = {EVENT_TIME: str(found.timestamp)}
    body = found.value if table.shown is None else table.shown(found.value)
    return web.Response(body=body, content_type="application/json", headers=headers)


def _windows_of(table: Table) -> WindowProcessor | None:
    """Return the windows that a table is the state of."""
    return table.owner if table.ordered and isinstance(table.owner, WindowProcessor) else None


def _open(
    app: App, windows: WindowProcessor, partition: int, forms: Sequence[bytes], start: bytes | None
) -> web.Response:
    """Answer with the open windows of a key, as their results are so far; or with the one that has this start (ms).

    The key may have some forms; the first one is that in which it was given.
    """
    check_recovered(app)
    at = None if start is None else number(start.decode(errors="replace"), "start", INT64_MAX)
    try:
        found = next(filter(None, (windows.open_windows(partition, form) for form in forms)), [])
    except KeyError:  # a rebalance came while another worker was asked
        raise router_of(app).moving() from None
    about = {"key": shown(forms[0]), "table": windows.name}
    if not found:
        return error(HTTPStatus.NOT_FOUND, "no window of this key is open", **about)
    made = list(map(windows.shown, found))
    if at is None:
        return web.Response(body=b"[%b]" % b",".join(made), content_type="application/json")
    for window, value in zip(found, made, strict=True):
        if window.start == at:
            headers = {EVENT_TIME: str(window.timestamp)}
            return web.Response(body=value, content_type="application/json", headers=headers)
    return error(HTTPStatus.NOT_FOUND, "no window of this key that starts then is open", **about, start=at)


def _info(table: Table) -> TableInfo:
    return TableInfo(table.name, table.help, sorted(table.owned), sum(map(len, table.owned.values())))


MISSING: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)
START: Final = Parameter(
    "start", "of windows the one that begins then (ms)", {"type": "integer", "minimum": 0, "maximum": INT64_MAX}
)
operations = [
    get("/table/", tables, answers=(list[TableInfo],)),
    get(
        "/table/{name}/",
        table,
        answers=(TableInfo, Any),
        parameters=(Parameter("key", "a key that a path cannot have"), START),
        errors=MISSING,
    ),
    # aiohttp takes braces for no part of a variable unless it is told what the variable may be.
    get("/table/{name}/{key:[^/]+}/", row, answers=(Any,), parameters=(START,), errors=MISSING),
]
