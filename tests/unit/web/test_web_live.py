"""The live view: made once a second for all who listen, and not while nobody does."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from faust.types import TP
from faust.web.exceptions import ServiceUnavailable
from views import TOKEN, app_of, ask, served

from streamapp import App
from streamapp.runtime.histogram import Exemplar
from streamapp.web import live
from streamapp.web.live import LIVE, Live
from streamapp.web.snapshot import SlowRecord, snapshot_of


class Number(msgspec.Struct):
    number: int


class Numbered:
    """A view whose snapshots are numbers."""

    def __init__(self) -> None:
        self.made = 0
        self.group_error: Exception | None = None
        self.live = Live(self.make, self.group)

    def make(self) -> Number:
        self.made += 1
        return Number(self.made)

    async def group(self) -> Number:
        if self.group_error is not None:
            raise self.group_error
        return Number(100)

    def run(self, scenario: Callable[[TestClient[Any, Any]], Awaitable[None]]) -> None:
        async def main() -> None:
            app = web.Application()
            app[LIVE] = self.live
            app.add_routes([web.get("/api/live", live.live)])
            app.on_shutdown.append(self.live.close)
            async with TestClient(TestServer(app)) as client, asyncio.timeout(30):
                await scenario(client)

        asyncio.run(main())


@pytest.fixture
def numbered(monkeypatch: pytest.MonkeyPatch) -> Numbered:
    monkeypatch.setattr(live, "INTERVAL_S", 0.01)
    return Numbered()


async def event_of(response: ClientResponse) -> tuple[str, int]:
    event = await response.content.readuntil(b"\n\n")
    name, data = event.decode().strip().split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))["number"]


async def numbers(response: ClientResponse, count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        name, number = await event_of(response)
        if name == "worker":
            found.append(number)
    return found


def test_a_listener_gets_a_snapshot_at_once_and_then_one_after_the_other(numbered: Numbered) -> None:
    async def scenario(client: TestClient[Any, Any]) -> None:
        async with client.get("/api/live") as response:
            assert response.content_type == "text/event-stream"
            assert await numbers(response, 4) == [1, 2, 3, 4]

    numbered.run(scenario)


def test_all_listeners_get_the_same_snapshots(numbered: Numbered) -> None:
    async def scenario(client: TestClient[Any, Any]) -> None:
        async with client.get("/api/live") as one, client.get("/api/live") as other:
            both = await asyncio.gather(numbers(one, 20), numbers(other, 20))
            assert len({*both[0]} & {*both[1]}) >= 15
            assert numbered.made <= 60

    numbered.run(scenario)


def test_nothing_is_made_while_nobody_listens(numbered: Numbered) -> None:
    async def scenario(client: TestClient[Any, Any]) -> None:
        async with client.get("/api/live") as response:
            await numbers(response, 2)
            making = [*numbered.live._making]
        await asyncio.wait(making)
        assert len(making) == 2
        assert numbered.live._making == []

    numbered.run(scenario)


def test_the_group_is_told_with_its_first_look_to_who_comes_later_too(numbered: Numbered) -> None:
    async def scenario(client: TestClient[Any, Any]) -> None:
        async with client.get("/api/live") as first:
            while await event_of(first) != ("group", 100):
                pass
            async with client.get("/api/live") as later:
                assert [(await event_of(later))[0], await event_of(later)] == ["worker", ("group", 100)]

    numbered.run(scenario)


def test_a_group_that_cannot_be_asked_holds_up_no_snapshot(numbered: Numbered) -> None:
    numbered.group_error = ServiceUnavailable("the coordinator does not answer")

    async def scenario(client: TestClient[Any, Any]) -> None:
        async with client.get("/api/live") as response:
            assert await numbers(response, 3) == [1, 2, 3]

    numbered.run(scenario)


def test_a_snapshot_that_fails_is_logged_and_the_next_one_comes(
    numbered: Numbered, caplog: pytest.LogCaptureFixture
) -> None:
    make = numbered.live.make

    def fails_once() -> msgspec.Struct:
        number = make()
        if numbered.made == 2:
            raise RuntimeError("it changed meanwhile")
        return number

    numbered.live.make = fails_once

    async def scenario(client: TestClient[Any, Any]) -> None:
        async with client.get("/api/live") as response:
            assert await numbers(response, 2) == [1, 3]

    numbered.run(scenario)
    assert "it changed meanwhile" in caplog.text


def test_a_look_at_the_group_that_fails_is_logged_and_the_next_one_is_told(
    numbered: Numbered, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "GROUP_INTERVAL_S", 0.01)
    numbered.group_error = RuntimeError("nobody thought of it")

    async def scenario(client: TestClient[Any, Any]) -> None:
        async with client.get("/api/live") as response:
            await numbers(response, 3)
            numbered.group_error = None
            while await event_of(response) != ("group", 100):
                pass

    numbered.run(scenario)
    assert "nobody thought of it" in caplog.text


def test_only_so_many_may_listen(numbered: Numbered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LISTENERS_MAX", 1)

    async def scenario(client: TestClient[Any, Any]) -> None:
        async with client.get("/api/live"), client.get("/api/live") as other:
            assert other.status == 503
            assert (await other.json())["error"] == "1 pages of this worker are open already: close one of them"

    numbered.run(scenario)


def test_a_worker_that_stops_does_not_wait_for_listeners(numbered: Numbered) -> None:
    async def scenario(client: TestClient[Any, Any]) -> None:
        async with client.get("/api/live") as response:
            await numbers(response, 1)
            await client.server.close()
            assert client.server.closed

    numbered.run(scenario)


def test_a_snapshot_of_an_app_has_its_health_and_what_it_declares() -> None:
    app = app_of()
    app.topic("orders").join(app.topic("payments"), before=1, after=1, grace=0, name="paid").to("paid")
    app.partition_counts = {"orders": 2, "payments": 2}

    async def run() -> Any:
        async with TestClient(served(app)) as client, client.get("/api/live") as response:
            event = (await response.content.readuntil(b"\n\n")).decode()
            return json.loads(event.partition("data: ")[2])

    found = asyncio.run(run())
    assert found["guarantee"] == "at_least_once"
    assert found["read"] == {"orders": 0, "payments": 0}
    assert found["partitions"] == {"orders": 2, "payments": 2}
    assert [one["name"] for one in found["funnels"]] == ["paid"]
    assert [one["topic"] for one in found["results"]] == ["paid"]
    assert (found["waits"], found["dead_letters"], found["panels"]) == ([], [], [])


def slow_record_of(app: App, *exemplars: Exemplar) -> SlowRecord | None:
    sink = app.sink("paid")
    for exemplar in exemplars:
        sink.latency.exemplify(exemplar)
    (results,) = snapshot_of(app, []).results
    return results.latency.slow


def test_the_slow_record_is_the_newest_in_the_slowest_bucket_of_the_last_minute() -> None:
    now, orders = time.time(), TP("orders", 1)
    long_ago, slow, fast = (
        Exemplar(orders, 1, 200.0, now - 90),
        Exemplar(orders, 2, 7.0, now - 30),
        Exemplar(orders, 3, 0.1, now),
    )
    found = slow_record_of(app_of(), long_ago, slow, fast)
    assert found == SlowRecord("orders", 1, 2, 7.0, round(slow.at * 1000), "")


def test_of_long_ago_no_slow_record_is_told() -> None:
    assert slow_record_of(app_of(), Exemplar(TP("orders", 1), 1, 200.0, time.time() - 90)) is None


def test_the_live_view_wants_the_token() -> None:
    async def run() -> list[int]:
        return [reply.status for reply in await ask(served(app_of(token=TOKEN)), "/api/live", "/api/funnels")]

    assert asyncio.run(run()) == [401, 401]
