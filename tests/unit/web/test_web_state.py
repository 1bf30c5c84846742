"""The state as JSON: tables, rows in pages, what joins hold; of an app whose worker is not started."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestClient
from faust.types import TP
from views import app_of, asked, assignor_of, give, served

from streamapp import App
from streamapp.joins import Row
from streamapp.kafka.partitioners import partitions_of
from streamapp.web.document import OPERATIONS, document

ROWS = {b"u%d" % number: Row(b'{"n":%d}' % number, 1_000 + number) for number in range(10)}
PLACED: dict[int, dict[bytes, Row]] = {0: {}, 1: {}}
for key, found in ROWS.items():
    PLACED[partitions_of(key, 2)[0]][key] = found
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
