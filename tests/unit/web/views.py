"""An app whose views are asked although nothing of it is started: no broker is needed."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp.test_utils import TestClient, TestServer
from faust.types import TP
from faust.types.assignor import HostToPartitionMap

from streamapp import App, Settings
from streamapp.joins import Row
from streamapp.worker.assignor import Assignor

TOKEN = "a-token-of-some-length"


class FixedAssignor(Assignor):
    """Has the partitions that a test says."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actives: set[TP] = set()
        self.others: HostToPartitionMap = {}

    def assigned_actives(self) -> set[TP]:
        return self.actives

    def is_active(self, tp: TP) -> bool:
        return tp in self.actives

    def table_metadata(self, topic: str) -> HostToPartitionMap:
        return self.others


@dataclasses.dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json()["error"])


def app_of(*, token: str = "", ready: bool = True, standbys: int = 0) -> App:
    """Make an app whose worker is ready, or has not started."""
    settings = Settings(id="shop", store="memory://", web_token=token, partitions=2, standbys=standbys)
    app = App(settings=settings, PartitionAssignor=FixedAssignor)
    app.tables.actives_ready = ready
    return app


def assignor_of(app: App) -> FixedAssignor:
    assert isinstance(app.assignor, FixedAssignor)
    return app.assignor


async def give(app: App, table: str, rows: Mapping[int, Mapping[bytes, Row]]) -> None:
    """Give the worker partitions of a table, with these rows."""
    kept = app.table(table)
    tps = {TP(kept.changelog_topic_name, number) for number in rows}
    assignor_of(app).actives |= tps
    await kept.on_rebalance(tps, set(), tps)
    for number, changes in rows.items():
        kept.partition(number).merge(dict(changes))


def served(app: App) -> TestServer:
    """Return the web server of an app, at a free port."""
    app.web.init_server()
    server: Any = app.web
    return TestServer(server.web_app)


async def ask(server: TestServer, *requests: str, token: str = "") -> list[Reply]:
    """Make requests, one after the other: paths, ``GET`` unless another method is before one."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    replies = []
    async with TestClient(server) as client:
        for request in requests:
            method, _, path = request.rpartition(" ")
            response = await client.request(method or "GET", path, headers=headers, allow_redirects=False)
            replies.append(Reply(response.status, response.headers, await response.read()))
    return replies


def asked(
    app: App, *requests: str, token: str = "", first: Callable[[App], Awaitable[None]] | None = None
) -> list[Reply]:
    """Make requests to an app, as `ask` does; before it, do something in the worker's loop."""

    async def run() -> list[Reply]:
        if first is not None:
            await first(app)
        return await ask(served(app), *requests, token=token)

    return asyncio.run(run())
