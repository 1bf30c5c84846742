"""Pages of the rows of a table: each partition is read by the worker that has it, from a snapshot."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import msgspec
from aiohttp import web
from faust.web.exceptions import ParseError, ServiceUnavailable, WebError
from msgspec.structs import asdict

from streamapp.conditions import ConditionError, condition
from streamapp.state.pages import CountPage, PageOf, RowsPage, Stopped
from streamapp.state.question import NO_CURSOR, Cursor, CursorError, Question
from streamapp.state.scans import IDLE_S, ScanGoneError, Scans, TooManyScansError
from streamapp.state.tables import Kind, at, kind_of
from streamapp.stores.snapshot import ClosedError, PositionError
from streamapp.topology import App
from streamapp.web.answers import answer
from streamapp.web.operations import Parameter
from streamapp.web.requests import APP, INT32_MAX, known, number, parameters
from streamapp.web.router import HOP, Owner, router_of, table_of, understood
from streamapp.web.tables import check_recovered
from streamapp.worker.table import Table

__all__ = ["PAGE_PARAMETERS", "SCANS", "count", "rows"]

SCANS: Final = web.AppKey[Scans]("scans", Scans)

#: Rows of a page, if nothing is said, and at most.
ROWS, ROWS_AT_MOST = 100, 1_000
#: The time (ms) in which a page ends, if nothing is said, and at most.
WITHIN_MS, WITHIN_AT_MOST_MS = 1_000, 10_000
#: What another worker may take beyond that: its other scans go first.
HOP_SPARE_S: Final = 20.0

PAGE_PARAMETERS: Final = (
    Parameter("prefix", "what the keys begin with"),
    Parameter("from", "the first key, compared as bytes are"),
    Parameter("to", "the key before which they end"),
    Parameter("where", 'a condition on the values, such as `amount > 100 and country in ["DE", "FR"]`'),
    Parameter("partition", "the rows of one partition alone", {"type": "integer", "minimum": 0, "maximum": INT32_MAX}),
    Parameter(
        "limit", f"rows of a page; {ROWS} by default", {"type": "integer", "minimum": 1, "maximum": ROWS_AT_MOST}
    ),
    Parameter(
        "within",
        f"ms in which a page ends; {WITHIN_MS} by default",
        {"type": "integer", "minimum": 0, "maximum": WITHIN_AT_MOST_MS},
    ),
    Parameter("cursor", "that of the page before; the other parameters are to be the same"),
)


async def rows(request: web.Request) -> web.StreamResponse:
    """Return rows of a table in pages, of each partition those that were committed when the scan came to it."""
    return await _Pages(request, counting=False).answer()


async def count(request: web.Request) -> web.StreamResponse:
    """Count rows of a table, in pages that are as long as the time allows."""
    return await _Pages(request, counting=True).answer()


class _Pages:
    """A request for a page, which may be of several partitions, and so be read on several workers."""

    def __init__(self, request: web.Request, *, counting: bool) -> None:
        self._request = request
        self._app: App = request.app[APP]
        self._router = router_of(self._app)
        self._hop = request.headers.get(HOP)
        self._counting = counting
        self._table = _scanned(self._app, request.match_info["name"])
        self._given = given = known(parameters(request), PAGE_PARAMETERS)
        self._question = _question(self._table, given)
        #: How many rows there may still be, and until when.
        self._room = _number(given, "limit", ROWS, 1, ROWS_AT_MOST)
        self._deadline = time.monotonic() + _number(given, "within", WITHIN_MS, 0, WITHIN_AT_MOST_MS) / 1000

    async def answer(self) -> web.Response:
        """Read partition by partition, until it is enough."""
        pages: list[RowsPage | CountPage] = []
        stopped: Stopped | None = None
        cursor: str | None = None
        for here in self._cursors():
            if pages and (self._room <= 0 or self._left == 0):
                stopped, cursor = Stopped.LIMIT if self._room <= 0 else Stopped.TIME, str(here)
                break
            try:
                page = await self._read(here)
            except (ServiceUnavailable, TooManyScansError):
                if not pages:
                    raise
                stopped, cursor = Stopped.UNAVAILABLE, str(here)
                break
            pages.append(page)
            if isinstance(page, RowsPage):
                self._room -= len(page.rows)
            if page.cursor is not None or self._hop is not None:
                stopped, cursor = page.stopped, page.cursor
                break
        return answer(self._made(pages, cursor, stopped))

    def _cursors(self) -> Iterator[Cursor]:
        """Go through where the partitions begin, and the first one goes on."""
        only, digest = self._question.partition, self._question.digest
        numbers = range(self._router.count(self._table)) if only is None else range(only, only + 1)
        first = Cursor(digest, numbers[0])
        if (text := self._given.get("cursor")) is not None:
            try:
                first = Cursor.parse(text.decode(errors="replace"), self._question, numbers)
            except CursorError as exc:
                raise ParseError(str(exc)) from None
        return (
            first if number == first.partition else Cursor(digest, number)
            for number in numbers[first.partition - numbers[0] :]
        )

    @property
    def _left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    async def _read(self, here: Cursor) -> RowsPage | CountPage:
        owner = self._router.owner(self._table.name, here.partition, self._hop)
        return await (self._scan(here) if owner.here else self._ask(owner, here))

    async def _scan(self, here: Cursor) -> RowsPage | CountPage:
        """Read a partition of this worker."""
        app, table, scans = self._app, self._table, self._request.app[SCANS]
        check_recovered(app)
        try:
            if here.scan:
                scan = scans.go_on(here.scan, self._question, here.partition)
            else:
                snapshot = table.partition(here.partition).committed.snapshot
                scan = await scans.begin(self._question, here.partition, snapshot, table.shown, table.as_text)
            page = await scans.read(scan, here.position, self._room, self._deadline, counting=self._counting)
            read_at = await at(app, table, here.partition, scan.snapshot.offset, exact=scan.snapshot.exact)
        except ScanGoneError:
            raise WebError(
                f"the snapshot of this cursor is gone: it is kept for {IDLE_S:g} s, and until a rebalance; begin again",
                code=HTTPStatus.GONE,
            ) from None
        except PositionError:
            raise ParseError(NO_CURSOR) from None
        except (KeyError, ClosedError):
            raise self._router.moving() from None
        stopped = cursor = None
        if page.position is not None:
            stopped = Stopped.TIME if page.timed_out else Stopped.LIMIT
            cursor = str(Cursor(here.digest, here.partition, scan.id, page.position))
        about = PageOf(table=table.name, seen=page.seen, cursor=cursor, stopped=stopped, at=[read_at])
        if self._counting:
            return CountPage(count=page.found, **asdict(about))
        return RowsPage(rows=page.rows, **asdict(about))

    async def _ask(self, owner: Owner, here: Cursor) -> RowsPage | CountPage:
        """Have another worker read a partition of its own."""
        left = self._left
        given = {
            **self._given,
            "cursor": str(here),
            "limit": self._room,
            "within": int(left * 1000),
        }
        path = f"{self._request.rel_url.raw_path}?{urlencode(given)}"
        response = await self._router.fetch(owner, path, aiohttp.ClientTimeout(total=left + HOP_SPARE_S))
        body = response.body if isinstance(response.body, bytes) else b""
        if response.status != HTTPStatus.OK:
            raise _as_error(response.status, body)
        return understood(body, CountPage, owner) if self._counting else understood(body, RowsPage, owner)

    def _made(
        self, pages: Sequence[RowsPage | CountPage], cursor: str | None, stopped: Stopped | None
    ) -> RowsPage | CountPage:
        about = PageOf(
            table=self._table.name,
            seen=sum(page.seen for page in pages),
            cursor=cursor,
            stopped=stopped,
            at=[one for page in pages for one in page.at],
        )
        if self._counting:
            return CountPage(count=sum(page.count for page in pages if isinstance(page, CountPage)), **asdict(about))
        return RowsPage(
            rows=[row for page in pages if isinstance(page, RowsPage) for row in page.rows], **asdict(about)
        )


def _scanned(app: App, name: str) -> Table:
    table = table_of(app, name)
    if (kind := kind_of(table)) is not Kind.TABLE:
        raise ParseError(f"{name} is the state of the {kind} {name}: ask for a key, /api/joins/{name}/KEY", table=name)
    return table


def _question(table: Table, given: Mapping[str, bytes]) -> Question:
    where = given.get("where", b"").decode(errors="replace")
    try:
        if where:
            condition(where)
    except ConditionError as exc:
        raise ParseError(f"where: {exc}") from None
    partition = _number(given, "partition", -1, 0, INT32_MAX)
    return Question(
        table=table.name,
        prefix=given.get("prefix", b""),
        start=given.get("from", b""),
        stop=given.get("to"),
        where=where,
        partition=None if partition < 0 else partition,
    )


def _number(given: Mapping[str, bytes], name: str, default: int, least: int, largest: int) -> int:
    if name not in given:
        return default
    return number(given[name].decode(errors="replace"), name, largest, least)


def _as_error(status: int, body: bytes) -> WebError:
    """Return the error that another worker answers with."""
    try:
        about = msgspec.json.decode(body, type=dict[str, Any])
        text = str(about.pop("error"))
    except (msgspec.DecodeError, KeyError):
        about, text = {}, f"the worker that has the partition answers {status}"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return ServiceUnavailable(text, **about)
    return WebError(text, code=status, **about)
