"""The pages of two workers that share a declared join and windows, before one of them is killed and after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from figures import agree
from playwright.sync_api import Browser, Page
from topics import Topics
from worker import Worker, wait_until

#: Seconds after which the broker takes a killed worker for gone.
SESSION_TIMEOUT = 10
MINUTE = 60_000


class Shop(NamedTuple):
    topics: Topics
    one: Worker
    two: Worker

    def sell(self, numbers: range, *, at: int) -> None:
        """Order things, of which each second one is paid for, and each tenth comes too late."""
        for number in numbers:
            late = -10 * MINUTE if number % 10 == 9 else 0
            self.topics.send("orders", f"o{number}", {"amount": number}, at=at + late)
            if number % 2 == 0:
                self.topics.send("payments", f"o{number}", {"paid": True}, at=at + 10)
        self.topics.flush()


@pytest.fixture(scope="module")
def shop(kafka: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    topics = Topics(kafka.bootstrap, "page")
    topics.create("orders", "payments")
    directory = tmp_path_factory.mktemp("page")
    settings = {**topics.settings, "app": "page_app", "session_timeout": SESSION_TIMEOUT}
    with Worker(directory / "one", **settings) as one, Worker(directory / "two", **settings) as two:
        wait_until(lambda: all(worker.wait_ready().assigned() for worker in (one, two)), "both have partitions")
        made = Shop(topics, one, two)
        made.sell(range(100), at=-5 * MINUTE)
        made.sell(range(100, 120), at=-2 * MINUTE)
        yield made


def opened(browser: Browser, worker: Worker) -> Page:
    page = browser.new_context().new_page()
    page.goto(f"{worker.url}/dashboard/")
    page.wait_for_selector("body[data-group]")
    return page


def received(page: Page) -> int:
    return int((page.locator("[data-name=paid] [data-account=received]").text_content() or "0").replace(",", ""))


def test_the_figures_of_the_pages_of_both_workers_are_the_apis(browser: Browser, shop: Shop) -> None:
    one, two = opened(browser, shop.one), opened(browser, shop.two)
    wait_until(lambda: received(one) + received(two) == 180, "all records of the join were read")
    for page, worker in ((one, shop.one), (two, shop.two)):
        found = agree(page, worker)
        assert set(found["accounts"]) == {"paid", "minutes"}
        assert found["accounts"]["paid"]["late"] != "0"
        assert len(found["workers"]) == 2
        assert found["lag"] == "0 records behind"


def test_the_figures_of_a_survivor_are_the_apis_once_it_has_all(browser: Browser, shop: Shop) -> None:
    one, two = opened(browser, shop.one), opened(browser, shop.two)
    shop.two.kill()
    shop.sell(range(120, 160), at=-MINUTE)
    wait_until(lambda: received(one) == 240, "the survivor has read all")
    found = agree(one, shop.one)
    assert (found["partitions"], len(found["workers"])) == ("8 partitions here 0 elsewhere", 1)
    two.wait_for_selector("body.gone")
