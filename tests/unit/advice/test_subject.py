"""Which joins and windows of an app can be asked about, and how their records are taken in."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamapp.advice.subject import SubjectError, subjects
from streamapp.joins import ForeignKeyJoin, Side, StreamStreamJoin
from streamapp.settings import Settings
from streamapp.topology import App
from streamapp.windows import Count, WindowedAggregate, tumbling


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(Settings(id="shop", datadir=tmp_path, topic_prefix="shop.", store="memory://"))


def test_joins_and_windows_are_found_by_their_names(app: App) -> None:
    orders, payments = app.topic("orders"), app.topic("payments")
    orders.join(payments, before=1, after=0, grace=5, idle_timeout="1m", name="paid").to("paid-orders")
    orders.window(tumbling("1m"), name="minutes").agg(n=Count()).to("order-minutes")
    assert [subject.name for subject in subjects(app)] == ["paid", "minutes"]
    (paid,), (minutes,) = subjects(app, "paid"), subjects(app, "minutes")
    assert (paid.join, paid.idle_timeout, paid.grace) == (StreamStreamJoin(before=1, after=0, grace=5), 60_000, 5)
    assert paid.topics == {Side.LEFT: "shop.orders", Side.RIGHT: "shop.payments"}
    assert isinstance(minutes.join, WindowedAggregate)


def test_both_halves_of_a_foreign_key_join_are_one_join_of_all_partitions(app: App) -> None:
    orders, customers = app.topic("orders").table(), app.topic("customers").table()
    orders.join(customers, foreign_key=lambda record: record.value, name="named").to("named-orders")
    (subject,) = subjects(app)
    assert isinstance(subject.join, ForeignKeyJoin)
    assert subject.whole
    assert subject.topics == {Side.LEFT: "shop.orders", Side.RIGHT: "shop.customers"}


def test_of_a_topic_that_is_written_once_more_by_a_field_the_source_is_read(app: App) -> None:
    app.topic("orders").rekey("customer").join(app.topic("customers").table(), name="named").to("named-orders")
    (subject,) = subjects(app)
    (internal,) = subject.rekeyed
    assert (subject.origin(internal), subject.topics[Side.LEFT]) == ("shop.orders", "shop.orders")
    assert subject.tables == {Side.RIGHT}
    assert subject.clocked == {Side.LEFT}


def test_what_is_not_there_or_cannot_be_asked_about_is_told_with_what_can_be(app: App) -> None:
    with pytest.raises(SubjectError, match="the app declares no joins and no windows"):
        subjects(app)
    orders = app.topic("orders")
    orders.join(app.topic("countries").global_table(), key=lambda record: record.value, name="global").to("a")
    orders.join(app.topic("customers").table(), name="named").to("b")
    with pytest.raises(SubjectError, match="there is no join 'other', but named"):
        subjects(app, "other")
    with pytest.raises(SubjectError, match="global is neither a join nor windows, or joins a global table"):
        subjects(app, "global")
