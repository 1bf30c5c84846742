"""What the page shows of answers that are made up: such as a worker rarely gives, and more than one ever has."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from made_up import NOW, buckets, funnel, group, partition
from made_up_page import ask, keys, opened, rows_of, search, tables, tell, tell_group, text
from page_server import PageServer
from playwright.sync_api import BrowserContext, Page
from worker import wait_until

from streamapp.web.funnels import SampleInfo
from streamapp.web.snapshot import NewestResults


def rate(page: Page) -> str:
    return text(page, "article.funnel .account:has([data-account=received]) .per-second")


def test_a_gained_partition_brings_its_history_and_no_rate(context: BrowserContext, server: PageServer) -> None:
    page = opened(context, server)
    tell(page, server, 1, received=1_100)
    assert rate(page) == "100/s"
    gained = {"funnels": [funnel(5_001_200, partitions=[0, 1, 2])]}
    tell(page, server, 2, **gained)
    assert (text(page, "[data-account=received]"), rate(page)) == ("5,001,200", "")
    tell(page, server, 3, funnels=[funnel(5_001_250, partitions=[0, 1, 2])])
    assert rate(page) == "50/s"


@pytest.mark.parametrize(
    ("samples", "rates"),
    [
        ([(100, 0), (200, 1_000), (400, 2_000)], [None, 100, 150]),
        ([(100, 0), (200, 1_000), (50, 2_000), (60, 3_000)], [None, 100, None, 10]),
        ([(100, 0), (200, 1_000), (900, 60_000), (901, 61_000)], [None, 100, None, 1]),
        ([(100, 0), (200, 1_000), (200, 1_000)], [None, 100, 100]),
    ],
    ids=["goes-on", "restarted", "not-looked-at", "told-twice"],
)
def test_a_rate_is_of_the_last_seconds_of_one_count(
    context: BrowserContext, server: PageServer, samples: list[tuple[int, int]], rates: list[float | None]
) -> None:
    page = opened(context, server)
    expression = "(() => { const one = new it.Rates(); return %s.map(([count, time]) => one.of('a', count, time)); })()"
    assert ask(page, "rates.js", expression % json.dumps(samples)) == rates


def test_the_first_snapshot_is_no_latency_of_the_last_minute(context: BrowserContext, server: PageServer) -> None:
    page = opened(context, server)
    row = "#latency tr:has([data-latency=results]) td.number"
    assert page.locator(row).all_text_contents() == ["…", "…", "…", "…", "500"]
    tell(page, server, 1, results=[NewestResults("results", 502, buckets(0, 500, 2, 0), [])])
    assert page.locator(row).all_text_contents()[3:] == ["2", "502"]


def test_what_a_dead_worker_had_of_the_history_is_kept_by_the_page(context: BrowserContext, server: PageServer) -> None:
    page = opened(context, server)
    whole, left = {"lag": 70, "partitions": 4}, {"lag": 20, "partitions": 2}
    notes = f"one.note('orders', 103, {json.dumps(whole)}); one.note('orders', 100, {json.dumps(left)});"
    notes += f"one.note('orders', 105, {json.dumps(left)});"
    columns = "one.columns([{ topic: 'orders', partitions: 4 }])"
    expression = f"(() => {{ const one = new it.LagHistory(); {notes} return {columns}; }})()"
    assert ask(page, "laghistory.js", expression) == [[100, 105], [70, None]]


def test_a_history_of_survivors_alone_is_shown_as_a_gap_and_told(context: BrowserContext, server: PageServer) -> None:
    at = NOW // 1000
    series = {"topic": "orders", "partition": None, "at": [at - 10, at - 5], "lag": [9, 4], "partitions": [4, 2]}
    server.answers["/api/group/history"] = lambda _: {"series": [series], "silent": ["shop-2"]}
    page = opened(context, server)
    view = [partition("orders", number, "shop-1", 1) for number in range(4)]
    tell_group(page, server, group(0, view))
    wait_until(lambda: ("/api/group/history", {}) in server.asked, "the history was asked for")
    tell_group(page, server, group(5, view))
    page.wait_for_selector("#lag-gaps:not([hidden])")
    assert "interrupted" in text(page, "#lag-gaps")


def test_a_lag_that_is_not_known_is_no_zero(context: BrowserContext, server: PageServer) -> None:
    page = opened(context, server)
    known, unknown = partition("orders", 0, "shop-1", 5), partition("orders", 1, "shop-2", None)
    lost = partition("payments", 0, "", None)
    tell_group(page, server, group(0, [known, unknown, lost]))
    assert text(page, "#lag") == "at least 5 records behind: of 2 of 3 partitions it is not known"
    rows = {
        topic: page.locator(f"#lag-section tr[data-topic={topic}] td").all_text_contents()
        for topic in ("orders", "payments")
    }
    assert (rows["orders"][1], rows["payments"][1], rows["payments"][5]) == ("≥ 5", "?", "1")
    captions = page.locator(".strip figcaption").all_text_contents()
    assert captions == [
        "orders: 2 partitions, at most 5 records behind, 1 whose lag is not known",
        "payments: 1 partitions, at most ? records behind, 1 without an owner, 1 whose lag is not known",
    ]
    most = page.locator("#lag-section .scrolls").last.locator("tbody tr").all_text_contents()
    assert [row.split("[")[0] for row in most] == ["orders", "orders", "payments"]
    assert "5" in most[0]
    assert all("?" in row for row in most[1:])
    tell_group(page, server, group(5, [lost]))
    assert text(page, "#lag") == "? records behind: of 1 of 1 partitions it is not known"


def test_numbers_that_a_double_cannot_have_are_shown_as_they_are(context: BrowserContext, server: PageServer) -> None:
    value = '{"id":9007199254740993,"small":-12345678901234567890,"price":1.0,"tiny":1e-7,"text":"9007199254740993"}'
    page_of_rows = f'{{"table":"users","rows":[{{"key":"ann","value":{value},"time":1}}],"cursor":null,"stopped":null}}'
    server.answers |= {"/api/tables": lambda _: tables("users"), "/api/tables/users/rows": lambda _: page_of_rows}
    server.answers["/api/tables/users"] = lambda _: f'{{"key":"ann","value":{value},"value_base64":null,"time":1}}'
    page = opened(context, server)
    for by in ("prefix", "key"):
        search(page, by, "ann")
        page.wait_for_selector("#tables td.value")
        assert page.locator("#tables td.value").all_text_contents() == [value]


def test_more_goes_on_with_what_was_searched_whatever_the_form_says(
    context: BrowserContext, server: PageServer
) -> None:
    server.answers |= {"/api/tables": lambda _: tables("users", "orders"), "/api/tables/users/rows": rows_of}
    page = opened(context, server)
    search(page, "prefix", "a")
    more = page.get_by_role("button", name="More")
    more.wait_for()
    page.fill("#search-value", "b")
    page.select_option("#search-by", "where")
    page.select_option("#search-table", "orders")
    more.click()
    wait_until(lambda: len(keys(page)) == 4, "there are more rows")
    more.click()
    wait_until(lambda: not more.is_visible() and len(keys(page)) == 6, "there are all rows")
    assert keys(page) == ["a0", "a1", "a2", "a3", "a4", "a5"]
    assert "users whose keys begin with a" in text(page, "#search-told")


def test_a_slow_answer_to_an_earlier_search_is_not_shown(context: BrowserContext, server: PageServer) -> None:
    go_on = threading.Event()

    def rows(query: Mapping[str, str]) -> Any:
        if query.get("prefix") == "slow":
            go_on.wait(30)
        return rows_of(query)

    server.answers |= {"/api/tables": lambda _: tables("users"), "/api/tables/users/rows": rows}
    page = opened(context, server)
    search(page, "prefix", "slow")
    wait_until(lambda: any(query.get("prefix") == "slow" for _, query in server.asked), "it was asked")
    search(page, "prefix", "b")
    wait_until(lambda: keys(page) == ["b0", "b1"], "the later search is answered")
    with page.expect_response(lambda response: "prefix=slow" in response.url):
        go_on.set()
    page.evaluate("() => new Promise((done) => setTimeout(done))")
    assert keys(page) == ["b0", "b1"]


def test_an_explanation_that_comes_late_is_not_shown_of_another_record(
    context: BrowserContext, server: PageServer
) -> None:
    go_on, see = threading.Event(), "/joins/paid/orders/0/{}/"
    answer = {"verdict": "late", "side": "left", "join": "paid", "position": 4, "clock": None, "candidates": []}
    samples = [SampleInfo("orders", 0, number, "k", NOW, "late", "", see.format(number)) for number in (1, 2)]
    server.answers["/api/funnels/paid/samples"] = lambda _: samples
    server.answers[see.format(1)] = lambda _: go_on.wait(30) and [{**answer, "because": "the first one"}]
    server.answers[see.format(2)] = lambda _: [{**answer, "because": "the second one"}]
    page = opened(context, server)
    page.locator("button.reason[data-reason=late]").click()
    explain = page.locator("dialog button.explain")
    explain.nth(0).click()
    wait_until(lambda: (see.format(1), {}) in server.asked, "the first one was asked for")
    explain.nth(1).click()
    page.wait_for_selector("dialog .because")
    with page.expect_response(lambda response: response.url.endswith(see.format(1))):
        go_on.set()
    page.evaluate("() => new Promise((done) => setTimeout(done))")
    assert page.locator("dialog .because").all_text_contents() == ["the second one"]


def test_a_fault_of_one_panel_is_its_own(context: BrowserContext, server: PageServer) -> None:
    page = opened(context, server)
    tell(page, server, 1, received=1_500, results=[{"topic": "results", "sent": 9, "latency": None, "results": []}])
    assert "cannot show what the worker has sent" in text(page, "#latency .fault")
    assert page.locator("body.gone").count() == 0
    assert text(page, "#state") == "ready"
    assert text(page, "[data-account=received]") == "1,500"
    assert page.locator(".fault").count() == 1
    tell(page, server, 2)
    assert page.locator(".fault").count() == 0


def test_a_timestamp_that_is_no_date_is_shown_as_a_number(context: BrowserContext, server: PageServer) -> None:
    page = opened(context, server)
    tell(page, server, 1, dead_letters=[SampleInfo("orders", 0, 1, "k", 10**18, "late", "", "")])
    assert page.locator(".fault").count() == 0
    assert "1,000,000,000,000,000,000 ms" in text(page, "#results table")


def test_what_an_agent_does_by_hand_is_not_said_to_add_up(context: BrowserContext, server: PageServer) -> None:
    page = opened(context, server)
    assert text(page, ".sum") == "✓ received = matched + pending + unmatched + late + rejected"
    tell(page, server, 1, funnels=[funnel(10, holds=None)])
    assert "✓" not in text(page, ".sum")
    tell(page, server, 2, funnels=[funnel(10, holds=False)])
    assert text(page, ".sum").startswith("✗")
