"""The files of the page: nothing of it comes from elsewhere, and nothing is inline."""

from __future__ import annotations

import re

import pytest
from views import TOKEN, app_of, asked

from streamapp.web.page import FILES, NAMES

OWN = sorted(name for name in NAMES if not name.startswith("vendor/"))


@pytest.mark.parametrize("name", ["", *NAMES])
def test_each_file_is_served_with_a_strict_policy_and_without_a_token(name: str) -> None:
    (reply,) = asked(app_of(token=TOKEN), f"/dashboard/{name}")
    assert reply.status == 200
    assert reply.body == (FILES / (name or "index.html")).read_bytes()
    policy = reply.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} <= {*policy}
    assert "unsafe" not in reply.headers["Content-Security-Policy"]
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Referrer-Policy"] == "no-referrer"


def test_the_page_without_its_last_slash_leads_there() -> None:
    (reply,) = asked(app_of(), "/dashboard")
    assert (reply.status, reply.headers["Location"]) == (308, "/dashboard/")


@pytest.mark.parametrize("name", ["none.js", "../page.py", "..%2fpage.py", "vendor/../../page.py", "%00"])
def test_no_other_file_is_served(name: str) -> None:
    (reply,) = asked(app_of(), f"/dashboard/{name}")
    assert reply.status in {400, 404}


@pytest.mark.parametrize("name", OWN)
def test_a_file_is_short_and_asks_no_other_host(name: str) -> None:
    text = (FILES / name).read_text()
    assert text.count("\n") <= 300
    assert set(re.findall(r"https?://[^\s\"'`)]+", text)) <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("name", [name for name in OWN if name.endswith(".js")])
def test_what_comes_from_data_is_never_taken_for_html(name: str) -> None:
    text = (FILES / name).read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)


def test_nothing_in_the_page_is_inline() -> None:
    html = (FILES / "index.html").read_text()
    assert not re.search(r"<style|\bstyle=|\bon\w+=|<script(?![^>]*\bsrc=)", html)


def test_the_charts_library_comes_with_its_licence() -> None:
    assert "MIT License" in (FILES / "vendor" / "uPlot-LICENSE.txt").read_text()
