"""Table views: the rows, from whichever worker has them, once it has recovered them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast

import msgspec
from faust import web
from faust.types import TP
from faust.web.exceptions import ServiceUnavailable

from streamapp.stores.errors import StoreBehindError, StoreUnreachableError
from streamapp.web.asked import key_in_path, parameters, shown
from streamapp.web.health import State, state_of
from streamapp.web.router import EVENT_TIME, Router
from streamapp.worker.table import Table

__all__ = ["StateView", "TableInfo", "blueprint"]


class TableInfo(msgspec.Struct, frozen=True):
    """What ``/table/{name}/`` answers."""

    name: str
    help: str
    #: The partitions that this worker owns.
    partitions: list[int]
    #: How many rows they have; an estimate for a store on disk.
    rows: int


blueprint = web.Blueprint("tables")


class StateView(web.View):
    """What views of state have in common, which a worker has for its partitions."""

    async def dispatch(self, request: Any) -> Any:
        """Answer 503 while the store is away, or its rows are read again."""
        try:
            return await super().dispatch(request)
        except (StoreUnreachableError, StoreBehindError) as exc:
            return await self.on_request_error(request, ServiceUnavailable(str(exc), owner=str(self.router.url)))

    @property
    def router(self) -> Router:
        """The app's router."""
        return cast(Router, self.app.router)

    def check_recovered(self) -> None:
        """Refuse to answer from tables that are not complete.

        Raises:
            ServiceUnavailable: unless this worker is ready.
        """
        state = state_of(self.app)
        if state is not State.READY:
            raise ServiceUnavailable(f"the worker is {state}; try again", owner=str(self.router.url), state=state.value)

    def struct(self, value: Any) -> web.Response:
        """Answer with structs as JSON."""
        return self.bytes(msgspec.json.encode(value), content_type="application/json")


class TableView(StateView):
    """What the views of tables have in common."""

    def table(self, name: str) -> Table:
        """Give a table by its name.

        Raises:
            NotFound: if there is none.
        """
        table = cast(Table | None, self.app.tables.get(name))
        if table is None or table.ordered:  # the inner state of a join is none to be looked at
            raise self.NotFound("unknown table", name=name)
        return table

    async def row(self, request: web.Request, table: Table, key: bytes) -> web.Response:
        """Look a row up here, or ask the worker that has it.

        A key is unknown only when every worker that may have it says so: the 503 of one that is down or
        recovering is not taken for a 404.
        """
        for owner in self.router.asked(self.router.owners(table.name, key), request):
            if owner.here:
                response = self.look_up(table, owner.partition, key)
            else:
                response = await self.router.ask(owner, self.web, request)
            if response.status != HTTPStatus.NOT_FOUND:
                break
        return response

    def look_up(self, table: Table, partition: int, key: bytes) -> web.Response:
        """Answer with the row from a partition that this worker has."""
        self.check_recovered()
        try:
            rows = map(table.partition(partition).get, table.key_forms(key))
            row = next((row for row in rows if row is not None), None)
        except KeyError:  # a rebalance came while another worker was asked
            raise self.router.moving() from None
        if row is None:
            return self.error(HTTPStatus.NOT_FOUND, "key not found", key=shown(key), table=table.name)
        headers = {EVENT_TIME: str(row.timestamp)}
        return self.bytes(row.value, content_type="application/json", headers=headers)

    def info(self, table: Table) -> TableInfo:
        """Describe a table."""
        assignor: Any = self.app.assignor
        owned = {
            number: rows
            for number, rows in table.data.partitions.items()
            if assignor.is_active(TP(table.changelog_topic_name, number))
        }
        return TableInfo(table.name, table.help, sorted(owned), sum(map(len, owned.values())))


@blueprint.route("/", name="list")
class Tables(TableView):
    """All tables."""

    async def get(self, _request: web.Request) -> web.Response:
        """Describe each table."""
        self.check_recovered()
        tables = cast(dict[str, Table], self.app.tables)
        return self.struct([self.info(table) for _, table in sorted(tables.items()) if not table.ordered])


@blueprint.route("/{name}/", name="detail")
class TableDetail(TableView):
    """One table; with ``?key=…`` one row, by a key that a path cannot have."""

    async def get(self, request: web.Request, name: str) -> web.Response:
        """Describe a table, or look a row up."""
        table, key = self.table(name), parameters(request).get("key")
        if key is not None:
            return await self.row(request, table, key)
        self.check_recovered()
        return self.struct(self.info(table))


# aiohttp takes braces for no part of a variable unless it is told what the variable may be.
@blueprint.route("/{name}/{key:[^/]+}/", name="key-detail")
class TableKeyDetail(TableView):
    """One row: the value's JSON, with its event time in a header."""

    async def get(self, request: web.Request, name: str, key: str) -> web.Response:
        """Look the row up."""
        return await self.row(request, self.table(name), key_in_path(request, 2))
