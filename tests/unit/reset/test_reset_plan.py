"""What a new start does, by what there is and what the user says."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from faust.types import TP

from streamapp.joins.declared import Declared
from streamapp.reset.execute import remove
from streamapp.reset.inventory import Inventory, State, of_app, of_group
from streamapp.reset.plan import Emptied, Move, Plan, ResetError, check_clocks, chosen, places
from streamapp.reset.survey import databases
from streamapp.reset.where import Kind, Where
from streamapp.settings import Settings
from streamapp.topology import App

PAIRS = Declared("a join of two streams", {"before": 10, "after": 0, "grace": 5})
LOOKUP = Declared("a join of a stream with a plain table", {"ttl": 0, "grace": None})
SHOP = Inventory(
    "shop",
    inputs=frozenset({"orders", "customers", "views"}),
    tables=frozenset({"customers"}),
    internal=frozenset(),
    states=(
        State("named", "shop-named-changelog", frozenset({"orders", "customers"}), LOOKUP),
        State("seen", "shop-seen-changelog", frozenset({"views"}), PAIRS),
    ),
)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("beginning", Where(Kind.BEGINNING, text="beginning")),
        ("now", Where(Kind.NOW, text="now")),
        ("1767225600000", Where(Kind.TIME, 1767225600000, "1767225600000")),
        ("2026-01-01", Where(Kind.TIME, 1767225600000, "2026-01-01")),
        ("2026-01-01T01:00:00+01:00", Where(Kind.TIME, 1767225600000, "2026-01-01T01:00:00+01:00")),
    ],
)
def test_a_place_is_read_as_users_write_it(text: str, where: Where) -> None:
    assert Where.parse(text) == where


def test_a_duration_is_taken_for_so_long_ago() -> None:
    assert abs(Where.parse("2h").value - (time.time() - 7200) * 1000) < 60_000


@pytest.mark.parametrize(
    "text",
    [
        "soon",
        "",
        "100",
        "1767225600",
        "-2",
        "1767225600000000",
        "99999999999999999999",
        "1969-12-31",
        "2200-01-01",
        "99999999999d",
    ],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is neither|is no time|is no duration"):
        Where.parse(text)


def test_all_input_is_read_again_unless_topics_are_named() -> None:
    assert chosen(SHOP, {}, keep_state=False) == {"orders", "customers", "views"}
    assert chosen(SHOP, {"views": []}, keep_state=False) == {"views"}


def test_tables_whose_rows_are_kept_are_left_where_they_are_unless_they_are_named() -> None:
    assert chosen(SHOP, {}, keep_state=True) == {"orders", "views"}
    assert chosen(SHOP, {"customers": [0]}, keep_state=True) == {"customers"}


@pytest.mark.parametrize(
    ("topics", "told"),
    [
        ({"orders": []}, "goes into one state with customers"),
        ({"orders": [0], "customers": []}, "a state is emptied as a whole"),
        ({"sales": []}, "shop does not read sales, but customers, orders, views"),
    ],
)
def test_a_state_is_not_emptied_for_a_part_of_its_input(topics: dict[str, list[int]], told: str) -> None:
    with pytest.raises(ResetError, match=told):
        chosen(SHOP, topics, keep_state=False)


def test_tables_that_are_not_named_are_read_from_their_beginning() -> None:
    since = Where(Kind.TIME, 5)
    found, notes = places(SHOP, SHOP.inputs, since, named=False)
    assert found == {"orders": since, "views": since, "customers": Where(Kind.BEGINNING)}
    assert notes == ["customers is a table, and is read from its beginning"]
    assert places(SHOP, ["customers"], since, named=True) == ({"customers": since}, [])


def test_a_join_that_keeps_its_clock_is_not_read_back() -> None:
    check_clocks(SHOP, [Move(TP("orders", 0), 10, 0), Move(TP("views", 0), 10, 20), Move(TP("views", 1), None, 0)])
    with pytest.raises(ResetError, match="the state of seen keeps its clock"):
        check_clocks(SHOP, [Move(TP("views", 0), 10, 0)])


def test_a_plan_says_what_would_be_done() -> None:
    moves = [Move(TP("orders", 0), 1_500, 0), Move(TP("orders", 1), None, 7), Move(TP("orders", 2), 3, 3)]
    emptied = Emptied("shop-named-changelog", 4, 1_234)
    plan = Plan("shop", moves, ["a note"], [emptied], directories=[Path("x.rocksdb")], redis=["shop:named:0"])
    assert plan.lines() == [
        "group shop",
        "  input: orders[0]  1,500 → 0  1,500 records are read again",
        "  input: orders[1]  - → 7  7 records are skipped",
        "  input: orders[2]  3 → 3",
        "  changelog, made anew: shop-named-changelog  1,234 records in 4 partitions",
        "  store on this machine, removed: x.rocksdb",
        "  rows in Redis, removed: shop:named:0",
        "  a note",
    ]


def test_an_apps_own_topics_are_told_from_those_that_it_reads() -> None:
    app = App(Settings(id="shop"))
    orders, customers, regions = (app.topic(name) for name in ("orders", "customers", "regions"))
    by_customer = orders.rekey(lambda record: record.key, name="customer")
    by_customer.join(customers.table()).to(app.sink("named"))
    customers.table().join(regions.table(), foreign_key=lambda record: record.key, name="home").to(app.sink("homes"))
    found = of_app(app)
    assert found.inputs == {"orders", "customers", "regions"}
    assert found.tables == {"customers", "regions"}
    assert found.internal == {"shop-orders-by-customer-repartition", "shop-home-subscriptions", "shop-home-answers"}
    assert found.together({"orders"}) == {"orders", "customers", "regions"}


def test_the_topics_of_a_join_by_command_are_known_by_their_names() -> None:
    existing = {"app-joined-orders-customers-join-changelog", "app-joined-2-orders-customers-join-changelog"}
    internal = "app-joined-orders-by-id-repartition"
    found = of_group("app-joined", {"p.orders", "p.customers", internal}, existing, "p.")
    assert found.inputs == {"p.orders", "p.customers"}
    assert found.internal == {internal}
    assert [state.changelog for state in found.states] == ["app-joined-orders-customers-join-changelog"]


def test_the_topics_of_windows_by_command_are_known_by_the_name_of_the_group() -> None:
    existing = {"app-ip_minutes-ip_minutes-changelog", "app-ip_minutes-other-changelog"}
    internal = "app-ip_minutes-tx-by-ip-repartition"
    found = of_group("app-ip_minutes", {"tx", internal}, existing, "")
    assert found.inputs == {"tx"}
    assert found.internal == {internal}
    assert [state.changelog for state in found.states] == ["app-ip_minutes-ip_minutes-changelog"]


def test_the_stores_of_a_table_are_removed_and_those_of_others_stay(tmp_path: Path) -> None:
    for name in ("a-0.rocksdb", "a-1.rocksdb.removed", "a-b-0.rocksdb", "a-x.rocksdb"):
        (tmp_path / name).mkdir()
    remove(databases(tmp_path, ["a"]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-b-0.rocksdb", "a-x.rocksdb"]
    assert databases(tmp_path / "none", ["a"]) == []
