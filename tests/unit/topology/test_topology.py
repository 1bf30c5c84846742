"""Joins are declared in a line, and what does not go together is told in one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from streamapp.errors import StreamappError
from streamapp.formats import Avro, Registered
from streamapp.joins import How, StreamStreamJoin
from streamapp.settings import Settings
from streamapp.topology import App, JoinError, Topic
from streamapp.windows import Count, Enrichment, Feature, FurtherKey, Sum, WindowedAggregate, tumbling

Make = Callable[[App], Any]


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(Settings(datadir=tmp_path, topic_prefix="shop.", store="memory://"))


def test_durations_are_milliseconds_or_timedeltas(app: App) -> None:
    join = app.topic("a").join(app.topic("b"), before=timedelta(minutes=1), after=0, grace=5, how="left").join
    assert join == StreamStreamJoin(before=60_000, after=0, grace=5, how=How.LEFT)


def test_a_join_is_named_after_its_topics_and_has_a_table_of_that_name(app: App) -> None:
    app.topic("orders").join(app.topic("customers").table()).to(app.sink("joined"))
    assert list(app.tables) == ["orders-customers-join", "customers"]


def test_the_rows_of_a_joined_table_are_in_one_that_is_named_after_its_topic(app: App) -> None:
    join = app.topic("orders").join(app.topic("customers").table()).to(app.sink("joined"))
    table = join.row_tables[1]
    assert (table.name, table.source, table.owner) == ("customers", "shop.customers", join)
    assert app.tables["customers"] is table


def test_the_table_of_a_topic_that_is_keyed_otherwise_is_named_after_that_topic(app: App) -> None:
    customers = app.topic("customers").rekey(lambda record: record.value, name="id")
    app.topic("orders").join(customers.table()).to(app.sink("joined"))
    assert app.joins[0].row_tables[1].name == "customers"


def test_a_second_join_with_a_topic_has_rows_of_its_own(app: App) -> None:
    for name in ("first", "second"):
        app.topic("orders").join(app.topic("customers").table(), name=name).to(app.sink("joined"))
    assert [table.name for join in app.joins for table in join.row_tables.values()] == ["customers", "second-table1"]


def test_the_table_of_a_join_is_named_as_the_user_says(app: App) -> None:
    app.topic("orders").join(app.topic("customers").table(name="buyers")).to(app.sink("joined"))
    assert "buyers" in app.tables


def test_an_operator_of_ones_own_runs_on_a_stream_and_is_called_so(app: App) -> None:
    operator = WindowedAggregate(windows=tumbling("1m"), aggregates={"n": Count()})
    runs = app.topic("orders").operator(operator, idle_timeout="2s").to("counts", late="late_orders")
    assert (runs.title, runs.table.name, runs.idle_timeout) == ("operator orders-operator", "orders-operator", 2_000)
    assert [output.topic for output in runs.side_outputs.outputs] == ["shop.late_orders"]
    with pytest.raises(JoinError, match="there is an operator orders-operator already"):
        app.topic("orders").operator(operator).to("others")


def test_a_table_that_keeps_its_past_is_in_the_state_of_the_join(app: App) -> None:
    app.topic("orders").join(app.topic("customers").table(history=1)).to(app.sink("joined"))
    assert list(app.tables) == ["orders-customers-join"]


def test_an_agent_does_not_get_the_table_that_a_join_writes(app: App) -> None:
    app.topic("orders").join(app.topic("customers").table(), name="enriched").to(app.sink("joined"))
    with pytest.raises(TypeError, match="customers is the table of the join enriched, which writes it"):
        app.table("customers")


def test_a_table_is_up_to_date_before_the_stream_at_equal_times(app: App) -> None:
    app.topic("orders").join(app.topic("customers").table()).to(app.sink("joined"))
    assert app.merges() == [("shop.customers", "shop.orders")]
    assert app.joined_topics() == [("shop.customers", "shop.orders")]


def one_table_for_two(app: App) -> None:
    for name in ("first", "second"):
        app.topic("a").join(app.topic("b").table(name="b"), name=name).to(app.sink("joined"))


def twice(app: App) -> None:
    for _ in range(2):
        app.topic("a").join(app.topic("b").table()).to(app.sink("joined"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda app: app.topic("a").join(app.topic("b")), "needs before, after and grace"),
        (lambda app: app.topic("a").join(app.topic("b").table(), before=1), "for the join of two streams"),
        (lambda app: app.topic("a").join(app.topic("b").table(), how="outer"), "inner or left, not outer"),
        (lambda app: app.topic("a").join(app.topic("b").table(), how="cross"), "'cross' is none of inner, left"),
        (lambda app: app.topic("a").join(app.topic("b").table(), grace=5), "needs a versioned table"),
        (lambda app: app.topic("a").join(app.topic("b"), before=-5, after=0, grace=0), "leave no window"),
        (
            lambda app: app.topic("a").join(app.topic("b"), before=5, after=0, grace=0, idle_timeout=0),
            "the idle timeout must be more than nothing",
        ),
        (
            lambda app: app.topic("a").join(app.topic("b"), before=10**14, after=0, grace=0),
            "longer than the 300 years",
        ),
        (lambda app: app.topic("a").table(ttl=5).join(app.topic("b").table()), "have no ttl"),
        (
            lambda app: app.topic("a").table().join(app.topic("b").table(), foreign_key=lambda _: None, how="outer"),
            "inner or left, not outer",
        ),
        (lambda app: app.topic("a").join(app.topic("b").global_table(), grace=5), "a global table is joined alone"),
        (
            lambda app: (
                app.topic("a")
                .reduce_windows(
                    app.topic("b"), size=5, grace=0, initial=list, reduce=lambda all_, *_: all_, value=list[int]
                )
                .to(app.sink("c"), lineage=True)
            ),
            "lineage=True: what a window is reduced to is made of many records",
        ),
        (one_table_for_two, "there is a table named b already: give that of the join another name"),
        (twice, "there is a join a-b-join already: give the join another name"),
    ],
)
def test_what_does_not_go_together_is_told_in_one_line(app: App, make: Make, message: str) -> None:
    with pytest.raises(JoinError) as error:
        make(app)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_hop_is_an_internal_topic_whose_copies_are_told_apart(app: App) -> None:
    hop = app.hop(app.topic("payments", batches=True), "ip")
    assert hop.topic.name == "streamapp-shop.payments-by-ip-repartition"
    assert hop.topic.name in app.declared.internal
    assert app.declared.hops[hop.topic.name] == ("shop.payments",)
    assert hop.topic.name in app.declared.copied


def test_a_topic_has_one_hop_by_a_name(app: App) -> None:
    payments = app.topic("payments", batches=True)
    app.hop(payments, "ip")
    with pytest.raises(JoinError, match="written once more by ip already"):
        app.hop(payments, "ip")


def test_operators_by_hand_have_a_table_and_a_balance(app: App) -> None:
    counts = WindowedAggregate(windows=tumbling("1m"), aggregates={"n": Count()})
    operators = app.operators("minutes", counts, app.topic("payments", batches=True))
    assert (operators.table.name, operators.table.source) == ("minutes", "shop.payments")
    assert operators in app.joins
    with pytest.raises(JoinError, match="there is an operator minutes already"):
        app.operators("minutes", counts, app.topic("payments", batches=True))


def test_features_by_further_keys_are_for_a_topic_of_one_partition(app: App) -> None:
    spent = {"spent": Feature(Sum("amount"), 60_000)}
    by_shop = FurtherKey("shop", lambda records: [b"x"] * len(records), spent)
    payments = app.topic("payments", batches=True)
    app.operators("bare", Enrichment(features=spent), payments)
    assert not app.declared.single
    app.operators("spent", Enrichment(features=spent, further=[by_shop]), payments)
    told = "the features by shop of the operator spent are of one partition"
    assert app.declared.single == {"shop.payments": told}


KEYED: dict[str, Callable[[Topic, App], Any]] = {
    "join": lambda orders, app: orders.join(app.topic("customers").table()).to("joined"),
    "table": lambda orders, app: app.topic("customers").join(orders.rekey().table(), orders.table()).to("joined"),
    "window": lambda orders, _: orders.window(tumbling("1m")).agg(n=Count()).to("counts"),
    "process": lambda orders, _: orders.process(lambda *_: None, state=dict).to("seen"),
    "enrich": lambda orders, _: orders.enrich(n=Count(over="1m")).to("more"),
}


@pytest.mark.parametrize("kind", KEYED)
def test_what_is_kept_by_keys_of_a_registry_needs_them_written_once_more(app: App, kind: str) -> None:
    orders = app.topic("orders", key_format=Registered(Avro("string")))
    with pytest.raises(StreamappError, match=r"the keys of shop.orders have the id of their schema in them, .*rekey"):
        KEYED[kind](orders, app)


def test_keys_of_a_registry_go_by_their_text_once_written_and_need_it_for_nothing_else(app: App) -> None:
    orders = app.topic("orders", key_format=Registered(Avro("string")))
    customers = app.topic("customers", key_format=Registered(Avro("string")))
    orders.rekey().join(customers.rekey().table(), name="by-key").to("joined")
    orders.rekey("customer").window(tumbling("1m")).agg(n=Count()).to("counts")
    orders.join(app.topic("prices").global_table(), name="priced").to("priced")
    orders.filter(lambda _: True).to("large", key_format=Registered(Avro("string")))
    assert {join.name for join in app.joins} == {"by-key", "counts", "priced"}
