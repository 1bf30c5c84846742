"""The page with answers that a test makes up: opened, told of something, and looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from made_up import NOW, snapshot
from page_server import PageServer
from playwright.sync_api import BrowserContext, Page

__all__ = ["ask", "keys", "opened", "rows_of", "search", "tables", "tell", "tell_group", "text"]


def opened(context: BrowserContext, server: PageServer) -> Page:
    page = context.new_page()
    page.goto(f"{server.url}/dashboard/")
    page.wait_for_selector("body[data-snapshot]")
    return page


def tell(page: Page, server: PageServer, at: int, **changes: Any) -> None:
    """Have the worker send a snapshot, and wait until the page shows it."""
    server.tell("worker", snapshot(at, **changes))
    page.wait_for_selector(f"body[data-snapshot='{NOW + at * 1000}']")


def tell_group(page: Page, server: PageServer, view: Any) -> None:
    """Have the worker send how its group stands, and wait until the page shows it."""
    server.tell("group", view)
    page.wait_for_selector(f"body[data-group='{int(view.at)}']")


def text(page: Page, selector: str) -> str:
    return (page.locator(selector).first.text_content() or "").strip()


def ask(page: Page, module: str, expression: str) -> Any:
    """Evaluate an expression with what a module of the page has, which is `it`."""
    return page.evaluate(f"async () => {{ const it = await import('/dashboard/{module}'); return {expression}; }}")


def tables(*names: str) -> list[dict[str, Any]]:
    about = {"help": "", "kind": "table", "changelog": "c", "rows": 2, "bytes": 10, "lag": 0, "clock": None}
    return [{"name": name, **about, "partitions": [{"partition": 0, "owner": "w", "rows": 2}]} for name in names]


def search(page: Page, by: str, value: str) -> None:
    page.wait_for_selector("#search-table option", state="attached")
    page.select_option("#search-by", by)
    page.fill("#search-value", value)
    page.click("form.search button")


def rows_of(names: Mapping[str, Any]) -> Any:
    """Answer with a page of rows whose keys begin with what is asked for."""
    prefix, cursor = names.get("prefix", ""), int(names.get("cursor") or 0)
    rows = [{"key": f"{prefix}{cursor + number}", "value": 1, "time": 1} for number in range(2)]
    return {"rows": rows, "cursor": str(cursor + 2) if cursor < 4 else None, "stopped": "limit"}


def keys(page: Page) -> list[str]:
    return page.locator("#tables .card td.code:first-child").all_text_contents()
