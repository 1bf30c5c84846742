"""Views of an app whose worker is not started, asked with aiohttp's test client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus

import pytest
from faust.types import TP
from views import TOKEN, app_of, ask, asked, assignor_of, give, served

from streamapp import App
from streamapp.formats.undecodable import Reason
from streamapp.joins import Balance, Row, Updates
from streamapp.kafka.partitioners import partitions_of
from streamapp.stores.errors import StoreUnreachableError
from streamapp.topology.accounts import Account
from streamapp.web.router import EVENT_TIME

ANN = Row(b'{"name":"Ann"}', 1_700_000_000_000)
KEY = b"ann"
PARTITION = partitions_of(KEY, 2)[0]


async def with_ann(app: App) -> None:
    await give(app, "customers", {PARTITION: {KEY: ANN}, 1 - PARTITION: {}})


@pytest.mark.parametrize("path", ["/table/customers/ann/", "/table/customers/?key=ann", "/table/customers/%61nn/"])
def test_a_row_is_answered_as_it_is_with_its_event_time(path: str) -> None:
    (reply,) = asked(app_of(), path, first=with_ann)
    assert (reply.status, reply.body) == (HTTPStatus.OK, ANN.value)
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers[EVENT_TIME] == str(ANN.timestamp)


def test_a_key_that_there_is_not_is_not_found() -> None:
    (reply,) = asked(app_of(), "/table/customers/?key=%FF", first=with_ann)
    assert reply.status == HTTPStatus.NOT_FOUND
    assert reply.json() == {"error": "key not found", "key": "\\xff", "table": "customers"}


def test_a_key_may_be_larger_than_servers_let_a_url_be() -> None:
    (reply,) = asked(app_of(), f"/table/customers/{'%61' * 300_000}/", first=with_ann)
    assert (reply.status, reply.json()["key"]) == (HTTPStatus.NOT_FOUND, "a" * 200 + "… (300000 bytes)")


def test_tables_are_described_by_the_partitions_of_this_worker() -> None:
    described = {"name": "customers", "help": "", "partitions": [0, 1], "rows": 1}
    tables, table = asked(app_of(), "/table/", "/table/customers/", first=with_ann)
    assert (tables.json(), table.json()) == ([described], described)


@pytest.mark.parametrize("path", ["/table/", "/table/customers/", "/table/customers/ann/"])
def test_tables_are_unavailable_until_they_are_recovered(path: str) -> None:
    (reply,) = asked(app_of(ready=False), path, first=with_ann)
    assert reply.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert reply.json() == {
        "error": "the worker is starting; try again",
        "owner": "http://127.0.0.1:6066",
        "state": "starting",
    }


def test_a_store_that_is_away_makes_rows_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_key: bytes) -> Row | None:
        raise StoreUnreachableError("the store does not answer")

    async def with_store_away(app: App) -> None:
        await with_ann(app)
        monkeypatch.setattr(app.table("customers").partition(PARTITION), "get", away)

    (reply,) = asked(app_of(), "/table/customers/ann/", first=with_store_away)
    assert (reply.status, reply.error) == (HTTPStatus.SERVICE_UNAVAILABLE, "the store does not answer")


def test_a_row_of_another_worker_is_asked_of_that_worker() -> None:
    async def through_one() -> None:
        one, other = app_of(token=TOKEN), app_of(token=TOKEN)
        await give(one, "customers", {1 - PARTITION: {}})
        await give(other, "customers", {PARTITION: {KEY: ANN}})
        async with served(other) as there:
            changelog = one.table("customers").changelog_topic_name
            assignor_of(one).others = {str(there.make_url("/")): {changelog: [PARTITION]}}
            (reply,) = await ask(served(one), "/table/customers/ann/", token=TOKEN)
        assert (reply.status, reply.body) == (HTTPStatus.OK, ANN.value)
        assert reply.headers[EVENT_TIME] == str(ANN.timestamp)
        await one.http_client.close()

    asyncio.run(through_one())


def test_a_row_of_a_worker_that_is_down_is_unavailable() -> None:
    async def through_one() -> None:
        one = app_of()
        await give(one, "customers", {1 - PARTITION: {}})
        changelog = one.table("customers").changelog_topic_name
        assignor_of(one).others = {"http://127.0.0.1:1": {changelog: [PARTITION]}}
        (reply,) = await ask(served(one), "/table/customers/ann/")
        assert reply.status == HTTPStatus.SERVICE_UNAVAILABLE
        assert reply.error.startswith("the worker that has the key is down")
        assert reply.json()["owner"] == "http://127.0.0.1:1"
        await one.http_client.close()

    asyncio.run(through_one())


def test_a_row_that_no_worker_is_known_to_have_is_unavailable() -> None:
    async def alone(app: App) -> None:
        await give(app, "customers", {1 - PARTITION: {}})
        assignor_of(app).others = {"http://127.0.0.1:6066": {"customers": [0]}}

    (reply,) = asked(app_of(), "/table/customers/ann/", first=alone)
    assert reply.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert "STREAMAPP_WEB_HOST" in reply.error


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/nowhere", "there is no such path; in a key / is %2F, and any key can be given as ?key=KEY"),
        ("/table/customers/a/b/", "there is no such path; in a key / is %2F, and any key can be given as ?key=KEY"),
        ("/table/none/", "unknown table"),
        ("/table/none/ann/", "unknown table"),
        ("/router/none/", "unknown table"),
        ("/router/none/ann/", "unknown table"),
        ("/joins/none/", "unknown join"),
        ("/joins/none/orders/0/0/", "unknown join"),
    ],
)
def test_what_there_is_not_is_told_in_one_line(path: str, error: str) -> None:
    (reply,) = asked(app_of(), path)
    assert (reply.status, reply.error) == (HTTPStatus.NOT_FOUND, error)


def test_the_inner_state_of_a_join_does_not_show_as_a_table() -> None:
    app = app_of()
    app.topic("orders").join(app.topic("views"), before=1, after=1, grace=0, name="bought").to("out")
    tables, state = asked(app, "/table/", "/table/bought/")
    assert (tables.json(), state.status, state.error) == ([], HTTPStatus.NOT_FOUND, "unknown table")


def test_a_method_that_a_view_does_not_have_is_told_as_json() -> None:
    (reply,) = asked(app_of(), "POST /health")
    assert (reply.status, reply.error) == (HTTPStatus.METHOD_NOT_ALLOWED, "405: Method Not Allowed")
    assert "GET" in reply.headers["Allow"]


@pytest.mark.parametrize("path", ["/health", "/metrics", "/table/customers/ann/", "/joins/"])
def test_a_probe_may_ask_for_the_headers_alone(path: str) -> None:
    (reply,) = asked(app_of(), f"HEAD {path}", first=with_ann)
    assert (reply.status, reply.body) == (HTTPStatus.OK, b"")


@pytest.mark.parametrize("path", ["/table/", "/joins/", "/metrics", "/graph/", "/", "/health/acknowledge", "/nowhere"])
@pytest.mark.parametrize("shown", ["", "another-token"])
def test_without_the_token_no_path_is_answered(path: str, shown: str) -> None:
    (reply,) = asked(app_of(token=TOKEN), path, token=shown)
    assert (reply.status, reply.error) == (HTTPStatus.UNAUTHORIZED, "show the token: Authorization: Bearer TOKEN")
    assert reply.headers["WWW-Authenticate"] == "Bearer"


def test_probes_need_no_token() -> None:
    replies = asked(app_of(token=TOKEN), "/health", "/health/ready", "/health/live")
    assert [reply.status for reply in replies] == [HTTPStatus.OK] * 3


def test_with_the_token_paths_are_answered() -> None:
    replies = asked(app_of(token=TOKEN), "/table/", "/joins/", "/metrics", "/graph/", token=TOKEN)
    assert [reply.status for reply in replies] == [HTTPStatus.OK] * 4


def stop(app: App) -> None:
    app._crashed.set()


@pytest.mark.parametrize(
    ("happens", "state", "live"),
    [
        (lambda app: setattr(app, "in_recovery", True), "recovering", True),
        (lambda app: setattr(app, "rebalancing", True), "assigning", True),
        (lambda app: setattr(app.tables, "actives_ready", False), "starting", True),
        (stop, "stopping", False),
    ],
)
def test_a_worker_that_is_not_ready_says_what_it_is_busy_with(
    happens: Callable[[App], None], state: str, live: bool
) -> None:
    app = app_of()
    happens(app)
    ready, alive = asked(app, "/health", "/health/live")
    assert (ready.status, ready.json()["state"]) == (HTTPStatus.SERVICE_UNAVAILABLE, state)
    assert alive.status == (HTTPStatus.OK if live else HTTPStatus.SERVICE_UNAVAILABLE)


def test_health_names_the_partitions_of_the_worker() -> None:
    app = app_of()
    assignor_of(app).actives = {TP("orders", 1), TP("orders", 0)}
    (reply,) = asked(app, "/health")
    assert (reply.status, reply.json()["assigned"]) == (HTTPStatus.OK, {"orders": [0, 1]})


def test_a_problem_makes_a_worker_unready_until_it_is_acknowledged() -> None:
    app = app_of()
    app.faults.report("lost", "3 records were lost")
    unready, acknowledged, ready = asked(app, "/health", "POST /health/acknowledge", "/health")
    assert (unready.status, unready.json()["problems"]) == (HTTPStatus.SERVICE_UNAVAILABLE, ["3 records were lost"])
    assert acknowledged.json() == {"acknowledged": ["3 records were lost"]}
    assert ready.status == HTTPStatus.OK


def test_metrics_count_what_went_through_the_worker() -> None:
    app = app_of()
    app.read["orders"] += 3
    app.dead_letters.counts["orders", Reason.NOT_JSON] += 1
    (reply,) = asked(app, "/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain")
    for line in (
        b'streamapp_records_read_total{topic="orders"} 3.0',
        b'streamapp_records_rejected_total{reason="not_json",topic="orders"} 1.0',
        b"streamapp_records_held 0.0",
    ):
        assert line in reply.body.splitlines()


def test_metrics_have_the_balance_of_each_join() -> None:
    app = app_of()
    join = app.topic("orders").join(app.topic("views"), before=1, after=1, grace=0, name="bought").to("out")

    async def joined(_app: App) -> None:
        tps = {TP(join.table.changelog_topic_name, 0)}
        await join.table.on_rebalance(tps, set(), tps)
        assignor_of(app).actives |= tps
        account = Account(Balance(received=2, pending=2), Updates(), clock=1_500)
        join.accounts.settle(0, join.table.partition(0), 0, 2, account)

    (reply,) = asked(app, "/metrics", first=joined)
    lines = reply.body.splitlines()
    assert b'streamapp_join_records{account="pending",join="bought",partition="0"} 2.0' in lines
    assert b'streamapp_join_clock_seconds{join="bought",partition="0"} 1.5' in lines


def test_requests_are_counted_as_faust_counts_them() -> None:
    app = app_of()
    app.sensors.add(app.monitor)  # as at its start
    asked(app, "/table/", "/table/none/")
    assert app.monitor.http_response_codes == {HTTPStatus.OK: 1, HTTPStatus.NOT_FOUND: 1}
