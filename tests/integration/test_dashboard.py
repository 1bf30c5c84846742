"""The page, in a real browser on a real worker: what it shows is what the worker answers."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from figures import agree
from playwright.sync_api import Browser, Page
from topics import Topics
from worker import Worker, wait_until

NAMES = ["ann", "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>']
TOKEN = "a-token-of-some-length"
SHOWN_TOKEN = {"Authorization": f"Bearer {TOKEN}"}


class Shop:
    """A worker that joins clicks, and what was sent to it."""

    def __init__(self, bootstrap: str, directory: Path) -> None:
        self.topics = Topics(bootstrap, "dashboard", partitions=4)
        self.topics.create("user_profiles", "user_clicks")
        self.directory = directory
        self.worker = self.start()

    def start(self, **settings: Any) -> Worker:
        return Worker(
            self.directory,
            broker=self.topics.bootstrap,
            id=self.topics.id,
            topic_prefix=self.topics.prefix,
            partitions=4,
            session_timeout=30,
            web_token=TOKEN,
            profile_ttl=0,
            **settings,
        )

    def get(self, path: str) -> Any:
        return self.worker.get(path, headers=SHOWN_TOKEN).json()

    def send(self, clicks: range) -> None:
        for name in NAMES:
            self.topics.send("user_profiles", name, {"user_id": name, "name": name}, at=1)
        for number in clicks:
            user = NAMES[number % 3] if number % 4 else f"nobody {NAMES[1]}"
            click = {"click_id": f"c{number}", "user_id": user, "url": "/", "timestamp": 2}
            self.topics.send("user_clicks", user, click, at=2)
        self.topics.flush()

    def funnel(self) -> dict[str, Any]:
        return dict(self.get("/api/funnels")[0])

    def settled(self, received: int) -> dict[str, Any]:
        wait_until(lambda: self.funnel()["balance"]["received"] >= received, f"{received} clicks were read")
        return self.funnel()


@pytest.fixture(scope="module")
def shop(kafka: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    made = Shop(kafka.bootstrap, tmp_path_factory.mktemp("shop"))
    try:
        made.worker.wait_ready()
        made.send(range(60))
        made.settled(60)
        yield made
    finally:
        made.worker.kill()


def opened(browser: Browser, shop: Shop, **context: Any) -> Page:
    """Open the page, and show the token; what the browser complains of is in `page.faults`."""
    page = browser.new_context(**context).new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if "Security" in message.text else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(f"dialog {dialog.message}"))
    page.goto(f"{shop.worker.url}/dashboard/")
    page.fill("#token", TOKEN)
    page.press("#token", "Enter")
    page.wait_for_selector("body[data-group]")
    page.faults = faults  # type: ignore[attr-defined]
    return page


def shown(page: Page, selector: str) -> str:
    return (page.locator(selector).first.text_content() or "").replace(",", "")


def test_the_page_shows_what_the_worker_answers_before_and_after_a_kill(browser: Browser, shop: Shop) -> None:
    page = opened(browser, shop)
    assert agree(page, shop.worker, SHOWN_TOKEN)["tables"]["user_profiles"][0] == "3"
    port = shop.worker.port
    os.kill(shop.worker.pid, signal.SIGKILL)
    page.wait_for_selector("body.gone")
    assert "goes on trying" in shown(page, "#gone")
    shop.worker = shop.start(web_port=port)
    shop.worker.wait_ready()
    shop.send(range(60, 90))
    shop.settled(30)
    page.wait_for_selector("body:not(.gone)")
    agree(page, shop.worker, SHOWN_TOKEN)
    assert page.faults == []  # type: ignore[attr-defined]
    assert TOKEN not in page.url


def test_what_comes_from_data_is_shown_as_text(browser: Browser, shop: Shop) -> None:
    page = opened(browser, shop)
    page.select_option("#search-table", "user_profiles")
    page.select_option("#search-by", "prefix")
    page.click("form.search button")
    page.wait_for_selector("#tables td.value")
    keys = page.locator("#tables .card td.code:first-child").all_text_contents()
    assert sorted(keys) == sorted(NAMES)
    page.select_option("#search-by", "key")
    page.fill("#search-value", NAMES[0])
    page.click("form.search button")
    found = page.locator("#tables td.value")
    wait_until(lambda: found.count() == 1, "the row is shown")
    assert json.loads(found.text_content() or "") == {"user_id": NAMES[0], "name": NAMES[0]}
    assert page.locator("main script, main img").count() == 0
    assert page.faults == []  # type: ignore[attr-defined]


def test_a_reason_opens_records_and_a_record_its_explanation(browser: Browser, shop: Shop) -> None:
    page = opened(browser, shop)
    page.locator("button.reason[data-reason=unmatched]").click()
    page.locator("dialog button.explain").first.click()
    page.wait_for_selector("dialog .because")
    assert shown(page, "dialog .explained .chip") == "unmatched"
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(browser: Browser, shop: Shop, scheme: str) -> None:
    page = opened(browser, shop, color_scheme=scheme)
    page.wait_for_selector("[data-table]")
    found = Axe().run(page).response["violations"]
    assert [json.dumps(one)[:800] for one in found if one["impact"] in {"serious", "critical"}] == []


def test_a_phone_needs_no_scrolling_to_the_side(browser: Browser, shop: Shop) -> None:
    page = opened(browser, shop, viewport={"width": 360, "height": 740})
    page.wait_for_selector("[data-table]")
    assert page.locator("html").evaluate("(html) => html.scrollWidth") <= 360


def test_the_first_tab_leads_to_the_content(browser: Browser, shop: Shop) -> None:
    page = opened(browser, shop)
    page.reload()  # the token is kept in the tab
    page.wait_for_selector("body[data-group]")
    page.keyboard.press("Tab")
    assert page.locator(":focus").text_content() == "Skip to the content"
