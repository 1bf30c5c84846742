"""Windows as they are declared: what is refused, what results look like, and what goes through an internal topic."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from streamapp import App, JoinError, Settings
from streamapp.topology import Bounds
from streamapp.topology.windowing import ResultValues
from streamapp.windows import Count, Sum, Windowed, tumbling

RESULT = Windowed(b"10.0.0.1", 0, 60_000, (2, 7), 59_000, True)


@pytest.fixture
def app() -> App:
    return App(settings=Settings(id="shop", store="memory://"))


@pytest.mark.parametrize(
    ("bounds", "marked", "expected"),
    [
        (Bounds.VALUE, False, {"key": "10.0.0.1", "start": 0, "end": 60_000, "n": 2, "total": 7}),
        (Bounds.VALUE, True, {"key": "10.0.0.1", "start": 0, "end": 60_000, "final": True, "n": 2, "total": 7}),
        (Bounds.HEADERS, False, {"n": 2, "total": 7}),
        (Bounds.HEADERS, True, {"final": True, "n": 2, "total": 7}),
    ],
)
def test_a_result_has_its_bounds_and_its_mark_where_they_are_asked_for(
    bounds: Bounds, marked: bool, expected: dict[str, Any]
) -> None:
    assert json.loads(ResultValues(["n", "total"], bounds, marked=marked)(RESULT)) == expected


def test_a_window_that_is_no_more_has_null_for_each_aggregate() -> None:
    gone = Windowed(b"k", 0, 5, None, 5, False)
    assert json.loads(ResultValues(["n"], Bounds.HEADERS, marked=False)(gone)) == {"n": None}


def test_windows_have_the_name_of_the_topic_of_their_results_unless_they_have_one(app: App) -> None:
    minutes = app.topic("tx").window(tumbling("1m")).agg(n=Count()).to("ip_minutes")
    named = app.topic("tx").window(tumbling("1m"), name="other").agg(n=Count()).to("more")
    assert (minutes.table.name, named.table.name) == ("ip_minutes", "other")


def test_windows_by_several_fields_go_through_a_topic_for_each_field(app: App) -> None:
    for number, by in enumerate(("ip", "ip", "card nr")):
        app.topic("tx").window(tumbling("1m"), by=by).agg(n=Count()).to(f"results{number}")
    assert sorted(app.declared.internal) == ["shop-tx-by-card_nr-repartition", "shop-tx-by-ip-repartition"]


def test_a_topic_that_is_keyed_by_the_field_is_not_written_once_more(app: App) -> None:
    by_ip = app.topic("tx").rekey("ip")
    by_ip.window(tumbling("1m"), by="ip").agg(n=Count()).to("results")
    assert len(app.declared.internal) == 1


def twice(app: App) -> None:
    for _ in range(2):
        app.topic("tx").window(tumbling("1m"), name="minutes").agg(n=Count()).to("ip_minutes")


@pytest.mark.parametrize(
    ("declare", "told"),
    [
        (twice, "there is a window minutes already: give the window another name, by name=…"),
        (lambda app: app.topic("tx").window(tumbling("1m")).agg(), "windows need at least one aggregate"),
        (lambda app: app.topic("tx").window(tumbling("1m"), grace="soon"), "'soon' is no duration"),
        (
            lambda app: app.topic("tx").window(tumbling("1m"), emission="now"),
            "emission='now' is none of final",
        ),
        (lambda app: app.topic("tx").window(tumbling("1m"), idle_timeout=0), "the idle timeout must be more than"),
        (
            lambda app: app.topic("tx").window(tumbling("1m")).agg(start=Count()).to("x"),
            "results have a start of their own: give the aggregate another name",
        ),
        (
            lambda app: app.topic("tx").window(tumbling("1m")).agg(n=Sum("a")).to("x", bounds="topic"),
            "bounds='topic' is none of value, headers",
        ),
    ],
)
def test_windows_that_cannot_be_are_refused_in_one_line(app: App, declare: Callable[[App], Any], told: str) -> None:
    with pytest.raises(JoinError) as refused:
        declare(app)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
