"""The group in a terminal: what the lines say, and what keys do on the screen."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from textual.widgets import DataTable, Input, Static
from yarl import URL

from streamapp.cli.asking import AskError
from streamapp.cli.group_report import Group, Order, Partition, Report, Worker, age, fetch, head, rows, told
from streamapp.cli.sparkline import sparkline
from streamapp.cli.top_screen import Screen
from streamapp.errors import StreamappError
from streamapp.settings import Settings


def partition(
    number: int, lag: int | None, *, owner: str = "w1", topic: str = "clicks", told: bool = True
) -> Partition:
    return Partition(topic, number, owner, told, lag, None if lag is None else lag / 10, 100.0, None)


def worker(name: str, *, error: str = "", problems: tuple[str, ...] = ()) -> Worker:
    ready = not error and not problems
    return Worker(name, "http://h:1", not error, error, "ready", ready, list(problems), {"clicks": [0]}, None)


REPORT = Report(
    Group(
        "shop",
        "Stable",
        "at_least_once",
        lag=None,
        known_lag=1_530,
        unknown=1,
        lag_seconds=None,
        workers=[worker("w1"), worker("w2", error="refused")],
        partitions=[
            partition(0, 30),
            partition(1, 1_500, owner="w2", told=False),
            partition(2, None, owner=""),
            partition(0, 0, topic="[profiles]"),
        ],
    ),
    {("clicks", 0): [0, 10, 20, 40]},
)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([0, 0, 0], "▁▁▁"),
        ([0, 1, 700], "▁▂█"),
        ([100, 50, 0], "█▅▁"),
        ([9, 9, 1, 2, 4], "▃▅█"),
    ],
)
def test_a_sparkline_has_the_last_values_by_their_share_of_the_largest(values: list[float], line: str) -> None:
    assert sparkline(values, 3) == line


def test_partitions_are_sorted_by_what_is_asked_for() -> None:
    places = {order: [(row[0], row[1]) for row in rows(REPORT, order)] for order in Order}
    assert places[Order.LAG] == [("clicks", "2"), ("clicks", "1"), ("clicks", "0"), ("[profiles]", "0")]
    assert places[Order.AGE] == places[Order.LAG]
    assert places[Order.TOPIC] == [("[profiles]", "0"), ("clicks", "0"), ("clicks", "1"), ("clicks", "2")]
    assert places[Order.OWNER][0] == ("clicks", "2")


def test_a_filter_takes_a_part_of_a_topic_or_an_owner() -> None:
    assert [row[0] for row in rows(REPORT, wanted="prof")] == ["[profiles]"]
    assert [row[1] for row in rows(REPORT, wanted="w2")] == ["1"]


def test_the_head_says_how_the_group_is_and_what_is_wrong() -> None:
    first, *wrong = head(REPORT.group)
    assert first == "shop: Stable, at_least_once, 1 of 2 workers ready, lag ?, the oldest record ?"
    assert wrong == [
        "partitions whose lag is not known: 1; that of the others is 1,530",
        "w2 gives no answer: refused",
    ]
    known = Group("g", "Stable", "x", 7, 7, 0, 150, [worker("w1", problems=("3 lost",))], [])
    assert head(known) == ["g: Stable, x, 0 of 1 workers ready, lag 7, the oldest record 2.5 min", "w1: 3 lost"]


def test_plain_text_has_a_line_for_each_partition() -> None:
    lines = told(REPORT).splitlines()
    assert lines[4].split() == ["TOPIC", "PARTITION", "LAG", "AGE", "WRITTEN/S", "DONE/S", "OWNER", "15", "MINUTES"]
    assert lines[5].split() == ["clicks", "2", "?", "?", "100", "?", "nobody"]
    assert lines[6].split() == ["clicks", "1", "1,500", "2.5", "min", "100", "?", "w2", "(silent)"]
    assert lines[7].split() == ["clicks", "0", "30", "3.0", "s", "100", "?", "w1", "▁▃▅█"]


@pytest.mark.parametrize(("seconds", "text"), [(None, "?"), (0.0, "0.0 s"), (90, "1.5 min"), (7_200, "2.0 h")])
def test_ages_are_told_in_units_that_fit(seconds: float | None, text: str) -> None:
    assert age(seconds) == text


def test_keys_sort_filter_and_end_the_screen() -> None:
    async def ask() -> Report:
        return REPORT

    async def run() -> None:
        screen = Screen(ask, interval=60)
        async with screen.run_test(size=(140, 30)) as pilot:
            await screen.workers.wait_for_complete()
            table = screen.query_one(DataTable)
            assert [str(cell) for cell in table.get_row_at(1)[:3]] == ["clicks", "1", "1,500"]
            await pilot.press("t")
            assert str(table.get_row_at(0)[0]) == "[profiles]"
            await pilot.press("slash", *"w2")
            assert (table.row_count, screen.wanted) == (1, "w2")
            await pilot.press("enter", "l")
            assert screen.focused is table
            assert not screen.query_one(Input).has_class("open")
            await pilot.press("q")
        assert screen.return_code == 0

    asyncio.run(run())


def test_a_worker_that_does_not_answer_is_told_and_the_last_table_stays() -> None:
    answers = iter([REPORT])

    async def ask() -> Report:
        try:
            return next(answers)
        except StopIteration:
            raise StreamappError("no worker answers") from None

    async def run() -> None:
        screen = Screen(ask, interval=60)
        async with screen.run_test(size=(140, 30)):
            await screen.workers.wait_for_complete()
            await screen._refresh()
            told = str(screen.query_one("#head", Static).render())
            assert re.fullmatch(r"no worker answers; below is what was told [\d.]+ s ago", told)
            assert screen.query_one(DataTable).row_count == len(REPORT.group.partitions)

    asyncio.run(run())


def test_an_answer_that_takes_longer_than_the_interval_is_waited_for() -> None:
    async def run() -> None:
        asked, may = 0, asyncio.Event()

        async def ask() -> Report:
            nonlocal asked
            asked += 1
            await may.wait()
            return REPORT

        screen = Screen(ask, interval=60)
        async with screen.run_test(size=(140, 30)):
            for _ in range(3):  # as the interval does
                screen._refresh_soon()
            may.set()
            await screen.workers.wait_for_complete()
            assert (asked, screen.query_one(DataTable).row_count) == (1, len(REPORT.group.partitions))
            screen._refresh_soon()
            await screen.workers.wait_for_complete()
            assert asked == 2

    asyncio.run(run())


def fetched(views: Mapping[str, Any]) -> tuple[Report, list[str]]:
    """Fetch a report from a server that answers with these views; return it with the paths that were asked for."""
    paths: list[str] = []

    async def view(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.json_response(views[request.path])

    async def run() -> Report:
        app = web.Application()
        app.add_routes([web.get(path, view) for path in views])
        async with TestServer(app) as server:
            return await fetch(Settings(), URL(str(server.make_url("/"))))

    return asyncio.run(run()), paths


def test_a_report_takes_two_requests_however_many_topics_there_are() -> None:
    partitions = [msgspec.to_builtins(partition(0, 1, topic=f"t{number}")) for number in range(50)]
    group = {**msgspec.to_builtins(REPORT.group), "partitions": partitions}
    series = [{"topic": f"t{number}", "partition": 0, "lag": [number]} for number in range(50)]
    report, paths = fetched({"/api/group": group, "/api/group/history": {"series": series}})
    assert paths == ["/api/group", "/api/group/history"]
    assert report.lags == {(f"t{number}", 0): [number] for number in range(50)}


def test_a_worker_of_another_version_is_told_as_such() -> None:
    with pytest.raises(AskError, match="is it of another version"):
        fetched({"/api/group": {"group": "shop"}})
