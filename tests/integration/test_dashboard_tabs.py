"""The page in many tabs, of a large group, on a phone, by keys alone, by day and by night; with made-up answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from made_up import NOW, group, partition, snapshot
from made_up_page import ask, keys, opened, rows_of, search, tables, tell, tell_group, text
from msgspec.structs import replace
from page_server import PageServer
from playwright.sync_api import Browser, BrowserContext
from worker import wait_until

from streamapp.web.funnels import SampleInfo

#: Has the page be hidden, or shown, as another tab being chosen does.
HIDE = """(hidden) => {
  const get = () => (hidden ? "hidden" : "visible");
  Object.defineProperty(document, "visibilityState", { configurable: true, get });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_worker_that_hangs_is_told_of(context: BrowserContext, server: PageServer) -> None:
    page = opened(context, server)
    error = ask(page, "api.js", "await it.getText('/api/never', 200).catch((error) => error.message)")
    assert error == "the worker gave no answer within 0.2 s"


def test_the_tables_say_that_they_are_not_as_they_are_now(context: BrowserContext, server: PageServer) -> None:
    server.answers["/api/tables"] = lambda _: "no JSON"
    page = opened(context, server)
    page.wait_for_selector("#tables .error:not(:empty)")
    assert "not shown as they are now" in text(page, "#tables .error")


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "alone"])
def test_a_page_that_is_hidden_costs_the_worker_nothing(
    context: BrowserContext, server: PageServer, *, shared: bool
) -> None:
    if not shared:
        context.add_init_script("delete globalThis.SharedWorker")
    page = opened(context, server)
    assert server.listeners == 1
    page.evaluate(HIDE, True)
    wait_until(lambda: server.listeners == 0, "the stream is closed")
    server.tell("worker", snapshot(60))
    assert page.locator("body.gone").count() == 0
    page.evaluate(HIDE, False)
    page.wait_for_selector(f"body[data-snapshot='{NOW + 60_000}']")
    assert server.listeners == 1


def test_eight_tabs_work_at_once_with_one_stream(context: BrowserContext, server: PageServer) -> None:
    server.answers |= {"/api/tables": lambda _: tables("users"), "/api/tables/users/rows": rows_of}
    pages = [opened(context, server) for _ in range(8)]
    server.tell("worker", snapshot(1, 1_234))
    for number, page in enumerate(pages):
        page.wait_for_selector(f"body[data-snapshot='{NOW + 1_000}']")
        assert text(page, "[data-account=received]") == "1,234"
        search(page, "prefix", f"{number}-")
        wait_until(lambda page=page, number=number: keys(page) == [f"{number}-0", f"{number}-1"], "the rows are shown")
    assert server.listeners == 1
    for page in pages:
        page.close()
    wait_until(lambda: server.listeners == 0, "the stream is closed with the last page")


def test_a_wrong_token_in_one_tab_is_asked_for_again_and_the_other_tab_goes_on(
    context: BrowserContext, server: PageServer
) -> None:
    server.token = "a-token"
    first, other = context.new_page(), context.new_page()
    for page, token in ((first, "a-token"), (other, "another")):
        page.goto(f"{server.url}/dashboard/")
        page.fill("#token", token)
        page.press("#token", "Enter")
    first.wait_for_selector("body[data-snapshot]:not(.locked)")
    other.wait_for_selector("#token")
    other.fill("#token", "a-token")
    other.press("#token", "Enter")
    other.wait_for_selector("body[data-snapshot]:not(.locked)")
    tell(first, server, 1)
    assert other.locator("form.token").count() == 0
    assert server.listeners == 1


def large() -> Any:
    """A group of 10 workers with 64 partitions of each of 10 topics."""
    return group(
        0,
        [
            partition(f"topic-{topic}", number, f"worker-{(topic + number) % 10}", 7 * number * (topic + 1))
            for topic in range(10)
            for number in range(64)
        ],
    )


def test_of_10_workers_with_64_partitions_all_figures_are_the_apis(context: BrowserContext, server: PageServer) -> None:
    page = opened(context, server)
    view = large()
    tell_group(page, server, view)
    rows = page.locator("#lag-section tr[data-topic]").all()
    shown = {row.get_attribute("data-topic"): row.locator("td").all_text_contents() for row in rows}
    lags = {topic.topic: [str(topic.partitions), f"{topic.lag:,}"] for topic in view.topics}
    assert {topic: cells[:2] for topic, cells in shown.items()} == lags
    assert all(cells[3:5] == ["640/s", "576/s"] for cells in shown.values())
    workers = {
        row.get_attribute("data-member"): row.locator("td").nth(1).text_content()
        for row in page.locator("tr[data-member]").all()
    }
    assert workers == {f"worker-{number}": "64" for number in range(10)}
    assert text(page, "#lag") == f"{view.lag:,} records behind"
    most = page.locator("#lag-section .scrolls").last.locator("tbody tr")
    assert most.count() == 20
    assert (most.first.text_content() or "").startswith("topic-9[63]4,410")


def test_a_strip_of_1000_partitions_has_each_of_them(context: BrowserContext, server: PageServer) -> None:
    page = opened(context, server)
    tell_group(page, server, group(0, [partition("orders", number, "shop-1", 5) for number in range(1_000)]))
    assert text(page, ".strip figcaption") == "orders: 1,000 partitions, at most 5 records behind"
    columns = """(canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 1, canvas.width, 1);
      return [canvas.width, [...data].filter((alpha, at) => at % 4 === 3 && alpha > 0).length];
    }"""
    page.wait_for_function("() => document.querySelector('.strip canvas').width >= 1000")
    width, filled = page.locator(".strip canvas").evaluate(columns)
    assert filled >= width - 1  # no partition is left out, the last one neither


def test_a_phone_needs_no_scrolling_to_the_side_for_a_large_group(browser: Browser, server: PageServer) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    page = opened(context, server)
    tell_group(page, server, large())
    assert page.locator("html").evaluate("(html) => html.scrollWidth") <= 360
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault_when_much_is_wrong(browser: Browser, server: PageServer, scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme)
    server.answers |= {"/api/tables": lambda _: tables("users"), "/api/tables/users/rows": rows_of}
    page = opened(context, server)
    tell_group(page, server, group(0, [partition("orders", 0, "", None), partition("orders", 1, "shop-1", 3)]))
    wrong = replace(snapshot(0).health, ready=False, problems=["records were lost"])
    tell(page, server, 1, health=wrong, panels=[{"title": 1}])
    search(page, "prefix", "a")
    page.wait_for_selector("#tables td.value")
    assert page.locator(".fault").count() == 1
    found = Axe().run(page).response["violations"]
    assert [json.dumps(one)[:800] for one in found if one["impact"] in {"serious", "critical"}] == []
    context.close()


def test_a_reason_is_opened_explained_and_closed_by_keys_alone(context: BrowserContext, server: PageServer) -> None:
    see = "/joins/paid/orders/0/3/"
    server.answers["/api/funnels/paid/samples"] = lambda _: [SampleInfo("orders", 0, 3, "k", NOW, "late", "", see)]
    answer = {"verdict": "late", "side": "left", "join": "paid", "because": "it came too late"}
    server.answers[see] = lambda _: [{**answer, "position": 4, "clock": NOW, "candidates": []}]
    page = opened(context, server)
    reason = page.locator("button.reason[data-reason=late]")
    for _ in range(60):
        page.keyboard.press("Tab")
        if reason.evaluate("(one) => one === document.activeElement"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog button.explain")
    explain = page.locator("dialog button.explain")
    for _ in range(10):
        page.keyboard.press("Tab")
        if explain.evaluate("(one) => one === document.activeElement"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog .because")
    assert text(page, "dialog .because") == "it came too late"
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    assert reason.evaluate("(one) => one === document.activeElement")
