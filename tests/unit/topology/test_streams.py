"""Streams are declared step by step: what reads what, which topics are in between, and what does not go together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamapp.functions import Context, TypedRecord
from streamapp.joins import Event, Refused
from streamapp.settings import Settings
from streamapp.topology import App, JoinError
from streamapp.windows.count import Count
from streamapp.windows.time_windows import tumbling

Make = Callable[[App], Any]


class Order(msgspec.Struct):
    user: str
    cents: int


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(Settings(id="shop", datadir=tmp_path, topic_prefix="shop.", store="memory://"))


def keep(record: TypedRecord[Any], context: Context[int]) -> None:
    context.emit(record)


def flows(app: App) -> list[tuple[list[str], list[str]]]:
    return [(list(flow.inputs), list(flow.results)) for flow in app.flows()]


def test_steps_without_a_state_need_neither_a_table_nor_an_internal_topic(app: App) -> None:
    big, small = app.topic("orders").filter(bool).branch(bool)
    big.map(str).to("big")
    small.to("small")
    assert flows(app) == [(["shop.orders"], ["shop.big", "shop.small"])]
    assert not app.tables
    assert not app.declared.internal


def test_a_stream_that_goes_nowhere_is_no_part_of_the_app(app: App) -> None:
    app.topic("orders").map(str).process(keep, state=int)
    assert flows(app) == []


def test_steps_before_a_join_run_within_it(app: App) -> None:
    app.topic("orders").filter(bool).join(app.topic("users").table()).to("joined")
    assert flows(app) == [(["shop.users", "shop.orders"], ["shop.joined"])]
    assert not app.declared.internal


def test_a_function_with_a_state_reads_all_topics_that_are_merged(app: App) -> None:
    merged = app.topic("a").merge(app.topic("b").map(str), app.topic("c"))
    merged.process(keep, state=int).to("out")
    assert flows(app) == [(["shop.a", "shop.b", "shop.c"], ["shop.out"])]
    assert app.merges() == [("shop.a", "shop.b", "shop.c")]
    assert list(app.tables) == ["a-b-c-process"]


def test_what_has_a_state_is_joined_again_through_an_internal_topic(app: App) -> None:
    kept = app.topic("orders").process(keep, state=int, name="kept")
    for name in ("first", "second"):
        kept.join(app.topic("users").table(), name=name).to(name)
    assert app.declared.hops == {"shop-kept-repartition": ("shop.orders",)}
    assert flows(app)[0] == (["shop.orders"], ["shop-kept-repartition"])


def test_results_of_joins_and_windows_are_streams(app: App) -> None:
    joined = app.results(app.topic("orders").join(app.topic("users").table(), name="joined"), unmatched="unknown")
    counts = app.results(joined.window(tumbling("1m"), name="counts").agg(n=Count()))
    counts.rekey("n").process(keep, state=int).to("out")
    assert set(app.declared.internal) == {"shop-joined-repartition", "shop-counts-by-n-repartition"}
    assert [join.name for join in app.joins] == ["joined", "counts", "shop-counts-by-n-repartition-process"]


def test_a_side_output_is_a_stream_of_its_own(app: App) -> None:
    kept = app.topic("orders").process(keep, state=int)
    kept.to("out")
    kept.side("late").map(str).to("late")
    assert flows(app) == [(["shop.orders"], ["shop.out", "shop.late"])]


def test_a_stream_is_keyed_by_a_field_or_by_what_steps_have_given(app: App) -> None:
    orders = app.topic("orders", type=Order)
    names = [
        orders.rekey("user").name,
        orders.filter(bool).rekey("user").name,
        orders.map(lambda order: order.replace(key=order.value.user)).rekey(name="users").name,
    ]
    assert names == [
        "shop-shop.orders-by-user-repartition",
        "shop-orders-steps-by-user-repartition",
        "shop-orders-steps-by-users-repartition",
    ]
    assert orders.rekey("user").keyed_by == "user"


def test_the_type_of_a_topic_stays_until_a_step_makes_other_values(app: App) -> None:
    orders = app.topic("orders", type=Order)
    assert orders.filter(bool).rekey("user").decoded_by is orders.decoded_by
    assert orders.map(str).rekey("user", name="a").decoded_by is None
    decode = orders.map(str, type=Order).rekey("user", name="b").decoded_by
    assert decode is not None
    assert decode(Event(b"k", b'{"user":"ann","cents":5}', 1)) == Order("ann", 5)


def test_a_join_refuses_a_record_whose_key_a_step_has_changed(app: App) -> None:
    changed = app.topic("orders").map(lambda order: order.replace(key="other"))
    steps = changed.source(0).steps
    assert steps is not None
    with pytest.raises(Refused, match=r"given it the key b'other', and no \.rekey\(\) follows") as refused:
        steps(Event(b"k", b"1", 1))
    assert refused.value.cause == "key_mismatch"


def test_a_record_that_steps_leave_as_it_is_is_joined_as_it_came(app: App) -> None:
    steps = app.topic("orders").filter(lambda _: True).source(0).steps
    came = Event(b"k", b'{"n":  1}', 1)
    assert steps is not None
    assert steps(came) == [came]
    assert list(steps(Event(b"k", None, 1))) == [Event(b"k", None, 1)]


def two_of_a_name(app: App) -> None:
    for _ in range(2):
        app.topic("a").process(keep, state=int).to("b")


def two_internal(app: App) -> None:
    for condition in (bool, str):
        app.topic("a").filter(condition).rekey("user")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda app: app.topic("a").process(keep, state=object), "state=object is no type that can be written"),
        (lambda app: app.topic("a").process(keep, state=int, ttl="soon"), "'soon' is no duration"),
        (lambda app: app.topic("a").process(keep, state=int, ttl=0), "the ttl must be more than nothing"),
        (lambda app: app.topic("a").process(keep, state=int, idle_timeout=0), "the idle timeout must be more"),
        (lambda app: app.topic("a").side("late"), "side('late') is of what comes of process"),
        (lambda app: app.topic("a").rekey(bool), "needs a name of what the records are keyed by"),
        (lambda app: app.topic("a").map(str).rekey("b", tombstones=True), "are of the records of a topic"),
        (lambda app: app.topic("a").map(str).global_table(), "a global table is of a topic"),
        (lambda app: app.results(app.topic("a").window(tumbling(1)).agg(n=Count())), "windows whose results go on"),
        (
            lambda app: app.results(app.topic("a").table().join(app.topic("b").table(), foreign_key=bytes)),
            "the results of a foreign-key join go to a topic",
        ),
        (two_of_a_name, "there is a process a-process already: give the process another name"),
        (two_internal, "there are two streams named a-steps-by-user: give one of them another name"),
    ],
)
def test_what_does_not_go_together_is_told_in_one_line(app: App, make: Make, message: str) -> None:
    with pytest.raises(JoinError) as error:
        make(app)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
