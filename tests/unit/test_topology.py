"""Joins are declared in a line, and what does not go together is told in one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from streamapp.joins import How, StreamStreamJoin
from streamapp.settings import Settings
from streamapp.topology import App, JoinError

Make = Callable[[App], Any]


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(Settings(datadir=tmp_path, topic_prefix="shop.", store="memory://"))


def test_durations_are_milliseconds_or_timedeltas(app: App) -> None:
    join = app.batches("a").join(app.batches("b"), before=timedelta(minutes=1), after=0, grace=5, how="left").join
    assert join == StreamStreamJoin(before=60_000, after=0, grace=5, how=How.LEFT)


def test_a_join_is_named_after_its_topics_and_has_a_table_of_that_name(app: App) -> None:
    app.batches("orders").join(app.batches("customers").table()).to(app.output("joined"))
    assert list(app.tables) == ["orders-customers-join"]


def test_a_table_is_up_to_date_before_the_stream_at_equal_times(app: App) -> None:
    app.batches("orders").join(app.batches("customers").table()).to(app.output("joined"))
    assert app.merges() == [("shop.customers", "shop.orders")]
    assert app.joined_topics() == [("shop.customers", "shop.orders")]


def twice(app: App) -> None:
    for _ in range(2):
        app.batches("a").join(app.batches("b").table()).to(app.output("joined"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda app: app.batches("a").join(app.batches("b")), "needs before, after and grace"),
        (lambda app: app.batches("a").join(app.batches("b").table(), before=1), "for the join of two streams"),
        (lambda app: app.batches("a").join(app.batches("b").table(), how="outer"), "inner or left, not outer"),
        (lambda app: app.batches("a").join(app.batches("b").table(), how="cross"), "'cross' is none of inner, left"),
        (lambda app: app.batches("a").join(app.batches("b").table(), grace=5), "needs a versioned table"),
        (lambda app: app.batches("a").join(app.batches("b"), before=-5, after=0, grace=0), "leave no window"),
        (
            lambda app: app.batches("a").join(app.batches("b"), before=5, after=0, grace=0, idle_timeout=0),
            "the idle timeout must be more than nothing",
        ),
        (
            lambda app: app.batches("a").join(app.batches("b"), before=10**14, after=0, grace=0),
            "longer than the 300 years",
        ),
        (lambda app: app.batches("a").table(ttl=5).join(app.batches("b").table()), "have no ttl"),
        (
            lambda app: (
                app.batches("a").table().join(app.batches("b").table(), foreign_key=lambda _: None, how="outer")
            ),
            "inner or left, not outer",
        ),
        (lambda app: app.batches("a").join(app.batches("b").global_table(), grace=5), "a global table is joined alone"),
        (
            lambda app: (
                app.batches("a")
                .reduce_windows(
                    app.batches("b"), size=5, grace=0, initial=list, reduce=lambda all_, *_: all_, value=list[int]
                )
                .to(app.output("c"), lineage=True)
            ),
            "lineage=True: what a window is reduced to is made of many records",
        ),
        (twice, "there are two joins named a-b-join: give one of them another name"),
    ],
)
def test_what_does_not_go_together_is_told_in_one_line(app: App, make: Make, message: str) -> None:
    with pytest.raises(JoinError) as error:
        make(app)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
