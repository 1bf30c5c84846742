"""The contract of the joins with tables, a rule a test. Times are in ms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from result_texts import texts

from streamapp.joins import (
    Driver,
    Event,
    ForeignKeyJoin,
    GlobalTable,
    How,
    MemoryStore,
    NWayJoin,
    Reason,
    Record,
    Refused,
    Side,
    State,
    StreamTableJoin,
    TableTableJoin,
)

L, R = Side.LEFT, Side.RIGHT


def test_a_plain_table_joins_its_current_row_whatever_the_time_of_that() -> None:
    driver = Driver(StreamTableJoin())
    driver.send(R, b"k", b"new", 200)
    assert texts(driver.send(L, b"k", b"l", 100).results) == ["l-new@100"]
    driver.send(R, b"k", None, 50)
    assert texts(driver.send(L, b"k", b"l", 300).results) == []


def test_a_versioned_table_joins_the_row_of_the_record_s_own_time() -> None:
    driver = Driver(StreamTableJoin(How.LEFT, history=100))
    for value, timestamp in ((b"b", 20), (b"d", 40), (None, 30), (b"a", 10)):
        driver.send(R, b"k", value, timestamp)
    for timestamp in (9, 10, 25, 35, 45):
        driver.send(L, b"k", b"l", timestamp)
    assert texts(driver.results) == ["l-@9", "l-a@10", "l-b@25", "l-@35", "l-d@45"]


def test_a_late_version_is_kept_until_the_next_one_is_beyond_the_history() -> None:
    driver = Driver(StreamTableJoin(history=100))
    for value, timestamp in ((b"a", 10), (b"c", 50), (b"b", 20)):
        driver.send(R, b"k", value, timestamp)
    driver.send(R, b"other", b"", 125)
    assert texts(driver.send(L, b"k", b"l", 30).results) == ["l-b@30"]


def test_an_update_older_than_the_history_is_told_and_joins_nothing() -> None:
    driver = Driver(StreamTableJoin(history=100))
    driver.send(R, b"k", b"now", 1_000)
    driver.send(R, b"k", b"just", 900)
    driver.send(R, b"k", b"old", 899)
    assert [(told.reason, told.record.value) for told in driver.side_outputs] == [(Reason.EXPIRED, b"old")]
    assert (driver.operator.updates.applied, driver.operator.updates.rejected) == (2, 1)


def test_with_a_grace_a_record_waits_for_updates_and_the_stream_moves_its_clock() -> None:
    driver = Driver(StreamTableJoin(history=100, grace=10))
    driver.send(L, b"k", b"l", 100)
    driver.send(R, b"k", b"much later", 150)
    driver.send(R, b"k", b"late", 95)
    assert driver.results == []
    assert driver.operator.balance.pending == 1
    assert texts(driver.send(L, b"none", b"", 110).results) == ["l-late@100"]


def test_with_a_grace_the_late_are_told() -> None:
    driver = Driver(StreamTableJoin(How.LEFT, history=100, grace=10))
    driver.send(L, b"k", b"l", 100)
    driver.send(L, b"k", b"late", 88)
    assert [(told.reason, told.late_by) for told in driver.side_outputs] == [(Reason.LATE, 2)]


def test_a_row_older_than_the_ttl_is_expired_at_the_clock() -> None:
    driver = Driver(StreamTableJoin(How.LEFT, ttl=10))
    driver.send(R, b"k", b"r", 100)
    assert texts(driver.send(L, b"k", b"l", 110).results) == ["l-r@110"]
    assert texts(driver.send(L, b"k", b"l", 111).results) == ["l-@111"]
    assert [told.reason for told in driver.side_outputs] == [Reason.EXPIRED]


@pytest.mark.parametrize(
    "settings",
    [{"how": How.RIGHT}, {"how": How.OUTER}, {"grace": 5}, {"grace": 5, "history": 4}, {"ttl": -1}],
)
def test_a_stream_table_join_refuses_what_does_not_go_together(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"inner or left|grace|negative"):
        StreamTableJoin(**settings)


def test_a_global_table_is_looked_up_by_any_key_and_fed_on_its_own() -> None:
    table = GlobalTable(State(MemoryStore()))
    join = StreamTableJoin(How.LEFT, key=lambda record: record.value or None)
    first, second = (join.start(State(MemoryStore()), table) for _ in range(2))
    rejected = table.process([Event(b"de", b"Germany", 1), Event(None, b"", 2)])
    assert [told.reason for told in rejected.side_outputs] == [Reason.NULL_KEY]
    for operator in (first, second):
        results = operator.process([(L, Event(b"k", country, 5)) for country in (b"de", b"fr", b"")]).results
        assert texts(results) == ["de-Germany@5", "fr-@5", "-@5"]
        assert (operator.balance.matched, operator.balance.unmatched) == (1, 2)


def test_an_update_of_a_table_that_is_kept_elsewhere_is_a_mistake() -> None:
    operator = StreamTableJoin().start(State(MemoryStore()), GlobalTable(State(MemoryStore())))
    with pytest.raises(ValueError, match="kept elsewhere"):
        operator.process([(R, Event(b"k", b"", 5))])


def test_a_record_that_the_key_function_refuses_is_told_with_its_words() -> None:
    def refuse(record: Record) -> bytes:
        raise Refused("no country")

    table = GlobalTable(State(MemoryStore()))
    operator = StreamTableJoin(key=refuse).start(State(MemoryStore()), table)
    (told,) = operator.process([(L, Event(b"k", b"", 5))]).side_outputs
    assert (told.reason, told.detail) == (Reason.REFUSED, "no country")
    assert operator.balance.holds


def test_an_n_way_join_needs_a_row_of_each_table_that_is_joined_inner() -> None:
    driver = Driver(NWayJoin((StreamTableJoin(), StreamTableJoin(How.LEFT))))
    driver.send(0, b"k", b"too soon", 1)
    driver.send(1, b"k", b"a", 2)
    driver.send(0, b"k", b"half", 3)
    driver.send(2, b"k", b"b", 4)
    driver.send(0, b"k", b"all", 5)
    rows = [[row and row.value for row in result.rows] for result in driver.results]
    assert rows == [[b"a", None], [b"a", b"b"]]
    assert (driver.operator.balance.matched, driver.operator.balance.unmatched) == (1, 2)


def test_a_joined_table_has_a_tombstone_where_a_row_of_it_vanishes_and_none_else() -> None:
    driver = Driver(TableTableJoin())
    driver.send(L, b"k", b"l", 1)
    driver.send(L, b"k", None, 2)
    assert driver.results == []
    driver.send(L, b"k", b"l", 3)
    driver.send(R, b"k", b"r", 4)
    driver.send(R, b"k", None, 5)
    driver.send(R, b"k", None, 6)
    assert texts(driver.results) == ["l-r@4", "-@5"]
    assert driver.results[-1].tombstone


def test_between_versioned_tables_an_older_update_gives_no_result() -> None:
    driver = Driver(TableTableJoin(left_history=100, right_history=100))
    driver.send(R, b"k", b"r", 1)
    driver.send(L, b"k", None, 50)
    driver.send(L, b"k", b"old", 49)
    assert driver.results == []
    assert [told.reason for told in driver.side_outputs] == [Reason.UNMATCHED, Reason.SUPERSEDED]
    assert driver.operator.balance.rejected == 1


def name(record: Record) -> bytes | None:
    if record.value == b"refused":
        raise Refused("names two")
    return record.value or None


def test_a_right_update_reaches_all_left_rows_that_name_it_in_order_of_keys() -> None:
    driver = Driver(ForeignKeyJoin(foreign_key=name))
    for key in (b"b", b"a", b"c"):
        driver.send(L, key, b"r1", 5)
    driver.send(L, b"c", b"r2", 6)
    results = driver.send(R, b"r1", b"right", 3).results
    assert [(result.key, result.timestamp) for result in results] == [(b"a", 5), (b"b", 5)]


def test_a_left_row_that_names_another_one_leaves_the_first() -> None:
    driver = Driver(ForeignKeyJoin(foreign_key=name))
    driver.send(R, b"r1", b"right", 1)
    driver.send(L, b"k", b"r1", 2)
    driver.send(L, b"k", b"r2", 3)
    assert texts(driver.results) == ["r1-right@2", "-@3"]
    assert driver.send(R, b"r1", b"again", 4).results == []


def test_a_left_row_that_is_refused_changes_nothing() -> None:
    driver = Driver(ForeignKeyJoin(foreign_key=name))
    driver.send(R, b"r1", b"right", 1)
    driver.send(L, b"k", b"r1", 2)
    driver.send(L, b"k", b"refused", 3)
    assert [(told.reason, told.detail) for told in driver.side_outputs[1:]] == [(Reason.REFUSED, "names two")]
    assert texts(driver.send(R, b"r1", b"again", 4).results) == ["r1-again@4"]


@pytest.mark.parametrize("function", [lambda: ForeignKeyJoin(foreign_key=name, how=How.OUTER), lambda: NWayJoin(())])
def test_joins_that_cannot_be_are_refused(function: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"inner or left|at least one"):
        function()
