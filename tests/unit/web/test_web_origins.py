"""Pages of others, which a browser of this machine runs, change nothing at a worker, and see nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from aiohttp_cors import ResourceOptions
from views import TOKEN, app_of, served

from streamapp import App, Settings

CHANGE = "/health/acknowledge"
ELSEWHERE = "http://elsewhere.example"


def app_with_a_problem(**options: Any) -> App:
    app = App(settings=Settings(id="shop", store="memory://"), **options)
    app.faults.report("lost", "records were lost")
    return app


def sent(app: App, method: str, path: str, headers: Mapping[str, str], *, own: bool = False) -> tuple[int, str]:
    """Send a request; with `own`, as a page of the worker itself says where it is from."""

    async def run() -> tuple[int, str]:
        async with TestClient(served(app)) as client:
            origin = {"Origin": str(client.make_url("/")).rstrip("/")} if own else {}
            response = await client.request(method, path, headers={**headers, **origin})
            return response.status, await response.text()

    return asyncio.run(run())


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": ELSEWHERE},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"},
    ],
    ids=str,
)
def test_a_page_of_another_site_changes_nothing(headers: dict[str, str]) -> None:
    app = app_with_a_problem()
    status, text = sent(app, "POST", CHANGE, headers)
    assert (status, text) == (403, '{"error":"pages of other sites may change nothing here"}')
    assert app.problems()


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}], ids=str)
@pytest.mark.parametrize("own", [False, True], ids=["without-origin", "own-origin"])
def test_curl_and_the_workers_own_pages_may_change_what_there_is(headers: dict[str, str], own: bool) -> None:
    app = app_with_a_problem()
    status, text = sent(app, "POST", CHANGE, headers, own=own)
    assert status == 200, text
    assert app.problems() == []


@pytest.mark.parametrize("origin", [ELSEWHERE, "*"])
def test_a_page_that_the_app_allows_may_change_what_there_is(origin: str) -> None:
    app = app_with_a_problem(web_cors_options={origin: ResourceOptions()})
    assert sent(app, "POST", CHANGE, {"Sec-Fetch-Site": "cross-site", "Origin": ELSEWHERE})[0] == 200
    assert app.problems() == []


@pytest.mark.parametrize(
    "name", ["elsewhere.example", "elsewhere.example:6066", "127.0.0.1.elsewhere.example", "[", "a b"]
)
@pytest.mark.parametrize(
    "path", ["/", "/health", "/table/", "/api/funnels", "/dashboard/", "/openapi.json", "/metrics"]
)
def test_without_a_token_no_view_answers_to_a_name_that_may_be_made_to_lead_here(name: str, path: str) -> None:
    status, text = sent(app_of(), "GET", path, {"Host": name})
    # What is no name at all, aiohttp refuses.
    assert status in ({400, 421} if name in {"[", "a b"} else {421})
    assert "funnels" not in text


def test_the_refusal_of_a_name_says_what_to_do() -> None:
    _, text = sent(app_of(), "GET", "/health", {"Host": "worker.example:6066"})
    assert text == (
        '{"error":"worker.example:6066 is no name of this worker: ask localhost or its IP address, or set '
        'STREAMAPP_WEB_HOST to it"}'
    )


@pytest.mark.parametrize(
    "name", ["127.0.0.1:6066", "[::1]:6066", "10.1.2.3", "localhost", "LOCALHOST:80", "a.localhost."]
)
def test_addresses_and_this_machine_are_answered(name: str) -> None:
    assert sent(app_of(), "GET", "/api/funnels", {"Host": name})[0] == 200


def test_the_name_that_the_settings_give_is_answered() -> None:
    app = App(settings=Settings(id="shop", store="memory://", web_host="worker.example"))
    assert sent(app, "GET", "/api/funnels", {"Host": "worker.example:6066"})[0] == 200


def test_with_a_token_any_name_is_answered_to_who_shows_it() -> None:
    headers = {"Host": "worker.example", "Authorization": f"Bearer {TOKEN}"}
    assert sent(app_of(token=TOKEN), "GET", "/api/funnels", headers)[0] == 200
    assert sent(app_of(token=TOKEN), "GET", "/api/funnels", {"Host": "worker.example"})[0] == 401
    assert sent(app_of(token=TOKEN), "POST", CHANGE, {"Host": "worker.example"})[0] == 401


def test_all_but_one_path_only_read() -> None:
    app = app_of()
    app.web.init_server()
    server: Any = app.web
    routes = {(route.method, route.resource.canonical) for route in server.web_app.router.routes()}
    # Faust's own have any method ("*"), and answer to GET alone.
    assert {route for route in routes if route[0] not in {"GET", "HEAD", "*"}} == {("POST", CHANGE)}
