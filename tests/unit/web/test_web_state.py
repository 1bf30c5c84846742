"""The state as JSON: tables, rows in pages, what joins hold; of an app whose worker is not started."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from faust.types import TP
from views import app_of, asked, assignor_of, give, served

from streamapp import App
from streamapp.joins import Event, Held, Holding, MemoryStore, Row, State
from streamapp.kafka.partitioners import partitions_of
from streamapp.state.question import NO_CURSOR, Cursor, Question
from streamapp.state.tables import StandbyState, TableState
from streamapp.stores.snapshot import Measure
from streamapp.web.document import OPERATIONS, document

ROWS = {b"u%d" % number: Row(b'{"n":%d}' % number, 1_000 + number) for number in range(10)}
PLACED: dict[int, dict[bytes, Row]] = {0: {}, 1: {}}
for key, found in ROWS.items():
    PLACED[partitions_of(key, 2)[0]][key] = found
QUESTION = Question(table="customers")
#: Not UTF-8, and no JSON.
ODD = b"\xff\xfe"


async def committed(app: App) -> None:
    """Give the worker both partitions of a table, with rows that are committed."""
    await give(app, "customers", PLACED)
    for number in PLACED:
        rows = app.table("customers").partition(number)
        rows.freeze()
        rows.delivered([], 10 * (number + 1))
        rows.store()


async def with_odd(app: App) -> None:
    await committed(app)
    app.table("customers").partition(partitions_of(ODD, 2)[0]).merge({ODD: Row(b"\x00", 5)})


def get(path: str, **options: Any) -> Any:
    (reply,) = asked(app_of(), path, first=options.get("first", committed))
    assert reply.status == options.get("status", HTTPStatus.OK), reply.body
    return reply.json()


def test_a_table_is_described_with_its_partitions() -> None:
    (table,) = get("/api/tables")
    assert (table["name"], table["kind"], table["rows"], table["lag"], table["clock"]) == (
        "customers", "table", 10, 0, 1_009,
    )  # fmt: skip
    assert [(one["partition"], one["rows"], one["offset"], one["lag"]) for one in table["partitions"]] == [
        (0, len(PLACED[0]), 10, 0), (1, len(PLACED[1]), 20, 0),
    ]  # fmt: skip
    assert table == get("/api/tables/customers")


def test_a_partition_that_no_worker_is_known_to_have_says_so() -> None:
    async def half(app: App) -> None:
        await give(app, "customers", {0: {}})

    (table,) = get("/api/tables", first=half)
    assert table["partitions"][1]["rows"] is None
    assert table["partitions"][1]["reason"] == "no worker is known to have it"


@pytest.mark.parametrize("path", ["/api/tables/customers/rows/u3", "/api/tables/customers?key=u3"])
def test_a_row_says_where_and_how_far_it_was_read(path: str) -> None:
    found, partition = get(path), partitions_of(b"u3", 2)[0]
    assert (found["key"], found["value"], found["time"], found["committed"]) == ("u3", {"n": 3}, 1_003, True)
    assert found["at"]["partition"] == partition
    assert (found["at"]["offset"], found["at"]["lag"], found["at"]["clock"]) == (
        10 * (partition + 1), 0, max(row.timestamp for row in PLACED[partition].values()),
    )  # fmt: skip


@pytest.mark.parametrize("query", ["rows/%FF%FE", "?key=%FF%FE", "?key_base64=//4="])
def test_a_key_that_is_no_text_and_a_value_that_is_no_json_are_in_base64(query: str) -> None:
    path = f"/api/tables/customers{query if query.startswith('?') else f'/{query}'}"
    found = get(path, first=with_odd)
    assert (found["key"], found["key_base64"]) == ("\\xff\\xfe", "//4=")
    assert (found["value"], found["value_base64"], found["committed"]) == (None, "AA==", False)


def pages(path: str) -> list[dict[str, Any]]:
    """Read all pages, in one run of the worker."""
    found: list[dict[str, Any]] = []
    app = app_of()

    async def read(client: Any) -> None:
        await committed(app)
        cursor: str | None = ""
        while cursor is not None:
            response = await client.get(path + (f"&cursor={cursor}" if cursor else ""))
            found.append(json.loads(await response.read()))
            cursor = found[-1]["cursor"]

    async def run() -> None:
        async with TestClient(served(app)) as client:
            await read(client)

    asyncio.run(run())
    return found


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_pages_have_each_row_once(limit: int) -> None:
    found = pages(f"/api/tables/customers/rows?limit={limit}")
    assert [len(page["rows"]) <= limit for page in found] == [True] * len(found)
    assert sorted(row["key"] for page in found for row in page["rows"]) == sorted(key.decode() for key in ROWS)
    assert {one["offset"] for page in found for one in page["at"]} == {10, 20}


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("where=" + quote("n > 5"), {6, 7, 8, 9}),
        ("prefix=u1", {1}),
        ("from=u2&to=u4", {2, 3}),
        ("where=" + quote("_time <= 1001 and _key != 'u0'"), {1}),
        ("prefix=x", set[int]()),
    ],
)
def test_rows_are_asked_for_by_key_and_by_condition(query: str, numbers: set[int]) -> None:
    (page,) = pages(f"/api/tables/customers/rows?{query}")
    assert {row["value"]["n"] for row in page["rows"]} == numbers
    assert get(f"/api/tables/customers/count?{query}")["count"] == len(numbers)


def test_one_partition_can_be_asked_for() -> None:
    (page,) = pages("/api/tables/customers/rows?partition=1")
    assert {row["key"].encode() for row in page["rows"]} == PLACED[1].keys()


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("where=n%20%3E%20%3E", "where: column 5: invalid syntax"),
        ("wher=n", "there is no parameter wher: is where meant?"),
        ("limit=0", "limit must be a whole number from 1 to 1000"),
        ("limit=5000", "limit must be a whole number from 1 to 1000"),
        ("cursor=abc", "this is no cursor: take it from the answer before, as it is"),
        ("partition=x", "partition must be a whole number from 0 to 2147483647"),
    ],
)
def test_a_question_that_cannot_be_is_told_in_one_line(query: str, error: str) -> None:
    assert get(f"/api/tables/customers/rows?{query}", status=HTTPStatus.BAD_REQUEST)["error"] == error


@pytest.mark.parametrize(
    "path", ["/api/tables/none", "/api/tables/none/rows", "/api/tables/customers/rows?partition=7"]
)
def test_what_there_is_not_is_not_found(path: str) -> None:
    get(path, status=HTTPStatus.NOT_FOUND)


def test_a_cursor_whose_snapshot_is_gone_says_so() -> None:
    first = pages("/api/tables/customers/rows?limit=1")[0]
    told = get(f"/api/tables/customers/rows?limit=1&cursor={first['cursor']}", status=HTTPStatus.GONE)
    assert "begin again" in told["error"]


@pytest.mark.parametrize(
    "cursor",
    [
        Cursor(QUESTION.digest, 0, position=b"1"),
        Cursor(QUESTION.digest, -1),
        Cursor(QUESTION.digest, 2),
    ],
    ids=str,
)
def test_a_cursor_that_somebody_made_up_is_told_as_none(cursor: Cursor) -> None:
    told = get(f"/api/tables/customers/rows?cursor={cursor}", status=HTTPStatus.BAD_REQUEST)
    assert told["error"] == NO_CURSOR


@pytest.mark.parametrize("position", [b"x", b"-3", b"99"])
def test_a_cursor_with_a_made_up_place_in_a_scan_is_told_as_none(position: bytes) -> None:
    async def run() -> tuple[int, str]:
        app = app_of()
        async with TestClient(served(app)) as client:
            await committed(app)
            first = await (await client.get("/api/tables/customers/rows?limit=1")).json()
            cursor = Cursor.parse(first["cursor"], QUESTION, range(2))
            made_up = msgspec.structs.replace(cursor, position=position)
            told = await client.get(f"/api/tables/customers/rows?limit=1&cursor={made_up}")
            return told.status, (await told.json())["error"]

    assert asyncio.run(run()) == (HTTPStatus.BAD_REQUEST, NO_CURSOR)


def test_a_row_has_at_least_what_the_offset_says_that_it_is_read_at() -> None:
    partition = partitions_of(b"u3", 2)[0]

    async def changing(app: App) -> None:
        await committed(app)
        rows = app.table("customers").partition(partition)
        measure = rows.committed.measure

        def committed_meanwhile() -> Measure:
            rows.merge({b"u3": Row(b'{"n":33}', 2_000)})
            rows.freeze()
            rows.delivered([], 77)
            rows.store()
            return measure()

        rows.committed.measure = committed_meanwhile  # type: ignore[method-assign]

    found = get("/api/tables/customers/rows/u3", first=changing)
    assert (found["at"]["offset"], found["value"]) == (77, {"n": 33})


def test_partitions_that_are_only_followed_are_told_as_standbys() -> None:
    async def followed(app: App) -> None:
        await committed(app)
        assignor_of(app).actives.remove(TP(app.table("customers").changelog_topic_name, 1))

    (table,) = get("/api/tables", first=followed)
    (standby,) = table["standbys"]
    assert (standby["partition"], standby["rows"], standby["offset"]) == (1, len(PLACED[1]), 20)
    assert (table["rows"], table["lag"]) == (len(PLACED[0]), None)
    assert table["partitions"][1]["reason"] == "no worker is known to have it"


@contextlib.asynccontextmanager
async def with_peer(app: App, answer: object, has: Sequence[int] = (1,)) -> AsyncIterator[TestClient[Any, Any]]:
    """Serve an app beside another worker, which has partition 1 and answers everything with this."""

    async def view(_request: web.Request) -> web.Response:
        return web.json_response(answer)

    other = web.Application()
    other.add_routes([web.get("/{path:.*}", view)])
    async with TestServer(other) as peer, TestClient(served(app)) as client:
        await give(app, "customers", {0: {}})
        url = str(peer.make_url("/"))
        assignor_of(app).others = {url: {app.table("customers").changelog_topic_name: [*has]} if has else {}}
        yield client


def from_peer(path: str, answer: object) -> tuple[int, Any]:
    async def run() -> tuple[int, Any]:
        async with with_peer(app_of(), answer) as client:
            response = await client.get(path)
            return response.status, json.loads(await response.read())

    return asyncio.run(run())


@pytest.mark.parametrize("standbys", [0, 1])
def test_a_worker_that_has_no_partition_of_a_table_is_asked_for_those_that_it_follows(standbys: int) -> None:
    follows = StandbyState(partition=0, worker="http://other", rows=5, bytes=1, offset=7, in_step=None)

    async def run() -> list[dict[str, Any]]:
        app = app_of(standbys=standbys)
        answer = msgspec.to_builtins([TableState.of(app.table("customers")).with_partitions([], [follows])])
        async with with_peer(app, answer, has=()) as client:
            (table,) = await (await client.get("/api/tables")).json()
            return list(table["standbys"])

    assert [(one["worker"], one["rows"]) for one in asyncio.run(run())] == [("http://other", 5)] * standbys


def test_a_peer_of_another_version_is_told_as_such_beside_its_partitions() -> None:
    status, (table,) = from_peer("/api/tables", [{"name": "customers"}])
    assert status == HTTPStatus.OK
    assert "of another version" in table["partitions"][1]["reason"]


@pytest.mark.parametrize("path", ["/api/tables/customers/rows?partition=1", "/api/tables/customers/count?partition=1"])
def test_a_page_of_a_peer_of_another_version_is_told_as_such(path: str) -> None:
    status, told = from_peer(path, {"rows": "none"})
    assert status == HTTPStatus.SERVICE_UNAVAILABLE
    assert "of another version" in told["error"]


def joined() -> App:
    app = app_of()
    orders, views, customers = (app.topic(name) for name in ("orders", "views", "customers"))
    pairs = orders.join(views, before=100, after=100, grace=0, how="outer", name="pairs").to("paired")
    past = orders.join(customers.table(history=1_000), grace=50, how="left", name="past").to("named")
    for join in (pairs, past):
        assignor_of(app).actives |= {TP(join.table.changelog_topic_name, number) for number in range(2)}
    return app


def test_joins_are_described_by_their_topics_and_tables() -> None:
    (reply,) = asked(joined(), "/api/joins")
    pairs, past = sorted(reply.json(), key=lambda join: str(join["name"]))
    assert (pairs["name"], pairs["kind"], pairs["topics"], pairs["tables"]) == (
        "pairs",
        "join",
        ["orders", "views"],
        [],
    )
    assert past["tables"] == [{"topic": "customers", "table": None, "versioned": True}]


#: A key that Kafka's Java client puts into another partition than librdkafka does.
TWICE = next(key for key in (b"k%d" % number for number in range(99)) if len(partitions_of(key, 2)) == 2)


@pytest.mark.parametrize("place", [0, 1])
def test_what_is_held_for_a_key_is_found_wherever_its_producer_has_put_it(
    place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, where = joined(), partitions_of(TWICE, 2)[place]
    (pairs,) = (join for join in app.joins if join.name == "pairs")
    one = Held(0, Holding.PENDING, 100, b"1", 7)
    monkeypatch.setattr(pairs, "held", lambda partition, _: [one] if partition == where else [])
    monkeypatch.setattr(pairs, "clock", lambda _: 100)

    async def here(_app: App) -> None:
        tps = {TP(pairs.table.changelog_topic_name, number) for number in range(2)}
        await pairs.table.on_rebalance(tps, set(), tps)

    (reply,) = asked(app, f"/api/joins/pairs/{TWICE.decode()}", first=here)
    assert reply.status == HTTPStatus.OK
    found = reply.json()
    assert (found["at"]["partition"], [each["offset"] for each in found["held"]]) == (where, [7])


def test_open_windows_of_a_key_that_are_reduced_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_of()
    orders, views = app.topic("orders"), app.topic("views")
    reduced = orders.reduce_windows(
        views, size=10, grace=0, initial=int, reduce=lambda total, *_: total + 1, value=int, name="reduced"
    ).to("out")
    operator = reduced.join.start(State(MemoryStore()))
    operator.process([(0, Event(b"k", b"v", 1)), (1, Event(b"k", b"v", 5)), (1, Event(b"other", b"v", 6))])
    monkeypatch.setattr(reduced, "operator", lambda _: operator)
    monkeypatch.setattr(reduced, "held", lambda _, key: operator.held(key))
    monkeypatch.setattr(reduced, "clock", lambda _: 6)

    async def here(_app: App) -> None:
        tps = {TP(reduced.table.changelog_topic_name, number) for number in range(2)}
        assignor_of(app).actives |= tps
        await reduced.table.on_rebalance(tps, set(), tps)

    (reply,) = asked(app, "/api/joins/reduced/k", first=here)
    found = reply.json()
    assert (found["held"], found["windows"]) == ([], [{"start": 0, "end": 10, "value": 2}])


def test_rows_as_of_a_time_need_a_versioned_table() -> None:
    (reply,) = asked(joined(), "/api/joins/pairs/u1?as_of=5")
    assert reply.status == HTTPStatus.BAD_REQUEST
    assert "history" in reply.error


def test_every_route_is_in_the_document() -> None:
    app = app_of()
    app.web.init_server()
    server: Any = app.web
    routes = {
        (route.method.lower(), route.resource.canonical)
        for route in server.web_app.router.routes()
        if route.method != "HEAD"
    }
    documented = {(method, path) for path, methods in document()["paths"].items() for method in methods}
    assert routes == documented


def test_each_operation_says_what_it_does() -> None:
    assert [one.path for one in OPERATIONS if not one.summary.endswith(".") and ":" not in one.summary] == []


def test_the_document_is_answered() -> None:
    (reply,) = asked(app_of(), "/openapi.json")
    assert reply.json() == document()
