"""A state that was written under one declaration, and is gone on with under another: right results, or a refusal."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.joins import (
    AsOfJoin,
    Direction,
    Event,
    ForeignKeyJoin,
    How,
    Join,
    MemoryStore,
    NWayJoin,
    Side,
    State,
    StreamStreamJoin,
    StreamTableJoin,
    TableTableJoin,
    WindowedReduce,
)
from streamapp.joins.declared import DECLARED, StateMismatch, earlier
from streamapp.joins.driver import Driver
from streamapp.joins.foreign_key import LeftHalf, RightHalf
from streamapp.topology.global_table import GlobalJoin

LEFT, RIGHT = Side
PAIRS = StreamStreamJoin(before=10, after=10, grace=5, how=How.LEFT)
AS_OF = AsOfJoin(tolerance=10, grace=5, how=How.LEFT)
PLAIN = StreamTableJoin(How.LEFT)
VERSIONED = StreamTableJoin(How.LEFT, history=100)
COUNT: WindowedReduce[int] = WindowedReduce(size=10, grace=5, initial=int, reduce=lambda n, *_: n + 1, value=int)


def names(record: Any) -> bytes:
    return bytes(record.value)


#: One of each kind.
JOINS: dict[str, Join[Any]] = {
    "a join of two streams": PAIRS,
    "an as-of join": AS_OF,
    "a join of a stream with a plain table": PLAIN,
    "a join of a stream with a versioned table": VERSIONED,
    "a join of a stream with tables (plain, plain)": NWayJoin((PLAIN, PLAIN)),
    "a join of a stream with tables (plain, versioned)": NWayJoin((PLAIN, VERSIONED)),
    "a join of a plain table with a plain table": TableTableJoin(),
    "a join of a plain table with a versioned table": TableTableJoin(right_history=100),
    "a foreign-key join": ForeignKeyJoin(foreign_key=names),
    "the left half of a foreign-key join": LeftHalf(foreign_key=names),
    "the right half of a foreign-key join": RightHalf(),
    "a join of a stream with a global table": GlobalJoin(PLAIN, None),  # type: ignore[arg-type]
    "a reduce of windows": COUNT,
}


def started(join: Join[Any], *records: tuple[int, bytes, bytes | None, int]) -> MemoryStore:
    """Return the state that a join has after some records."""
    store = MemoryStore()
    driver = Driver(join, store)
    for record in records:
        driver.send(*record)
    return store


def go_on(join: Join[Any], store: MemoryStore, *records: tuple[int, bytes, bytes | None, int]) -> Driver[Any]:
    driver = Driver(join, store)
    for record in records:
        driver.send(*record)
        driver.restart()
    return driver


def notes(join: Any, store: MemoryStore) -> list[str]:
    return earlier(State(store), join)[1]


def values(driver: Driver[Any]) -> list[tuple[bytes | None, bytes | None]]:
    return [(one.left and one.left.value, one.right and one.right.value) for one in driver.results]


@pytest.mark.parametrize("old", JOINS)
@pytest.mark.parametrize("new", JOINS)
def test_a_state_of_another_kind_of_join_is_refused_and_both_are_named(old: str, new: str) -> None:
    store = MemoryStore({DECLARED: b""})
    state = State(store)
    state.delete(DECLARED)
    earlier(state, JOINS[old])
    state.commit()
    if old == new:
        assert notes(JOINS[new], store) == []
        return
    with pytest.raises(StateMismatch) as refused:
        earlier(State(store), JOINS[new])
    assert str(refused.value).startswith(f"it is that of {old}")
    assert f"and not of {new}" in str(refused.value)


def test_a_refusal_names_the_settings_as_they_are_written() -> None:
    store = started(StreamTableJoin(ttl=3_600_000), (LEFT, b"k", b"v", 0))
    with pytest.raises(StateMismatch) as refused:
        earlier(State(store), StreamStreamJoin(before=90_000, after=0, grace=250))
    assert str(refused.value) == (
        "it is that of a join of a stream with a plain table (how inner, ttl 1h), and not of a join of two streams "
        "(before 90s, after 0, grace 250ms, how inner)"
    )


def test_a_state_from_before_declarations_were_kept_is_taken_and_gets_one() -> None:
    store = started(VERSIONED, (RIGHT, b"k", b"row", 0))
    store.write({DECLARED: None})
    assert values(go_on(VERSIONED, store, (LEFT, b"k", b"v", 1))) == [(b"v", b"row")]
    with pytest.raises(StateMismatch):
        Driver(PAIRS, store)


@pytest.mark.parametrize(
    "join", [PLAIN, NWayJoin((PLAIN, VERSIONED)), TableTableJoin(left_history=5), ForeignKeyJoin(foreign_key=names)]
)
def test_a_state_from_when_it_had_the_rows_of_plain_tables_is_refused(join: Join[Any]) -> None:
    store = started(join, (LEFT, b"k", b"v", 0))
    row = store.get(DECLARED)
    assert row is not None
    for before in (row.replace(b'"layout":2', b'"layout":1'), None):
        store.write({DECLARED: before})
        with pytest.raises(StateMismatch, match="its layout is 1, and this version of streamapp knows 2 only"):
            Driver(join, store)


def test_a_state_of_an_unknown_layout_is_refused() -> None:
    store = started(PAIRS, (RIGHT, b"k", b"row", 0))
    row = store.get(DECLARED)
    assert row is not None
    store.write({DECLARED: row.replace(b'"layout":1', b'"layout":2')})
    with pytest.raises(StateMismatch, match="its layout is 2, and this version of streamapp knows 1 only"):
        Driver(PAIRS, store)


@st.composite
def pairs(draw: st.DrawFn) -> StreamStreamJoin:
    size = st.integers(0, 20)
    return StreamStreamJoin(before=draw(size), after=draw(size), grace=draw(size), how=draw(st.sampled_from(How)))


RECORDS = st.lists(st.tuples(st.sampled_from(Side), st.sampled_from([b"a", b"b"]), st.integers(0, 80)), max_size=25)


def model(phases: list[tuple[StreamStreamJoin, list[tuple[int, bytes, int]]]]) -> Counter[Any]:
    """Join as naively as can be: what is over leaves, and what there is joins what comes."""
    results: Counter[Any] = Counter()
    there: list[list[Any]] = []  # side, key, time, number, whether it is matched
    clock = number = 0
    for join, records in phases:
        reach = {LEFT: join.after + join.grace, RIGHT: join.before + join.grace}

        def close(now: int, join: StreamStreamJoin = join, reach: dict[Side, int] = reach) -> None:
            for one in [one for one in there if one[2] < now - reach[one[0]]]:
                there.remove(one)
                if not one[4] and join.how.keeps(one[0]):
                    results[one[0], one[3]] += 1

        for side, key, time in records:
            number += 1
            if time < clock - join.grace:
                continue
            clock = max(clock, time)
            close(clock)
            mine: list[Any] = [side, key, time, number, False]
            for other in there:
                left, right = (mine, other) if side == LEFT else (other, mine)
                near = left[2] - join.before <= right[2] <= left[2] + join.after
                if other[0] != side and other[1] == key and near:
                    mine[4] = other[4] = True
                    results[left[3], right[3]] += 1
            there.append(mine)
            close(clock)
        if records:
            close(clock)
    return results


@settings(max_examples=400, deadline=None)
@given(phases=st.lists(st.tuples(pairs(), RECORDS), min_size=2, max_size=3))
def test_pairs_under_changed_windows_are_those_of_what_was_not_over_before(phases: list[Any]) -> None:
    store, results, number = MemoryStore(), Counter[Any](), 0
    for join, records in phases:
        driver = Driver(join, store)
        for start in range(0, len(records), 4):
            batch = [
                (side, Event(key, b"%d" % n, time))
                for n, (side, key, time) in enumerate(records[start : start + 4], number + 1)
            ]
            number += len(batch)
            driver.process(batch)
            driver.restart()
        for one in driver.results:
            left, right = (side and int(side.value) for side in (one.left, one.right))
            results[(LEFT, left) if right is None else (RIGHT, right) if left is None else (left, right)] += 1
    assert results == model(phases)


def test_an_unmatched_record_is_not_told_again_under_larger_windows() -> None:
    store = MemoryStore()
    Driver(PAIRS, store).process([(LEFT, Event(b"k", b"over", 0)), (LEFT, Event(b"k", b"waits", 30))])
    driver = go_on(dataclasses.replace(PAIRS, grace=1_000), store, (LEFT, b"x", b"", 31))
    driver.finish()
    assert values(driver) == [(b"waits", None), (b"", None)]


def test_larger_windows_say_that_what_has_left_the_state_is_missing() -> None:
    store = started(PAIRS, (LEFT, b"k", b"v", 0))
    assert notes(dataclasses.replace(PAIRS, grace=7_200_000, how=How.INNER), store) == [
        "grace 5ms → 2h: pairs with records that had left the state before are missing"
    ]
    assert notes(dataclasses.replace(PAIRS, before=2, how=How.OUTER), store) == []


def test_a_record_that_waits_in_an_as_of_join_joins_whatever_the_new_tolerance() -> None:
    for changed in (
        dataclasses.replace(AS_OF, grace=0),
        dataclasses.replace(AS_OF, tolerance=3, direction=Direction.NEAREST),
        dataclasses.replace(AS_OF, tolerance=50, grace=50),
    ):
        store = started(AS_OF, (RIGHT, b"k", b"right", 98), (LEFT, b"k", b"left", 100), (LEFT, b"x", b"", 102))
        assert (b"left", b"right") in values(go_on(changed, store, (LEFT, b"x", b"", 300)))


def test_an_as_of_join_with_a_longer_grace_joins_no_record_again() -> None:
    before = (LEFT, b"k", b"1", 100), (LEFT, b"k", b"2", 200)
    store = started(AS_OF, *before)
    longer = dataclasses.replace(AS_OF, grace=1_000)
    driver = go_on(longer, store, (LEFT, b"k", b"3", 201), (LEFT, b"k", b"4", 5_000))
    assert values(driver) == [(b"2", None), (b"3", None)]


@pytest.mark.parametrize("grace", [None, 0, 20, 90])
def test_records_that_wait_for_a_table_are_joined_once_whatever_the_new_grace_is(grace: int | None) -> None:
    waiting = dataclasses.replace(VERSIONED, grace=50)
    old = (RIGHT, b"k", b"row", 0), (LEFT, b"k", b"1", 10), (LEFT, b"k", b"2", 70), (LEFT, b"k", b"3", 100)
    driver = go_on(
        dataclasses.replace(VERSIONED, grace=grace),
        started(waiting, *old),
        (LEFT, b"k", b"4", 101),
        (LEFT, b"k", b"5", 400),
    )
    told = [left for left, _ in values(driver)]
    assert told[:3] == [b"2", b"3", b"4"]
    assert told[3:] == ([b"5"] if grace is None or not grace else [])


def test_a_row_written_while_none_expired_does_not_expire_as_the_one_before() -> None:
    expiring = dataclasses.replace(PLAIN, ttl=10)
    store = started(expiring, (RIGHT, b"k", b"old", 0))
    go_on(PLAIN, store, (RIGHT, b"k", b"new", 95))
    assert values(go_on(expiring, store, (LEFT, b"x", b"", 100), (LEFT, b"k", b"v", 101)))[1:] == [(b"v", b"new")]


def test_a_longer_ttl_says_that_expired_rows_are_gone() -> None:
    store = started(dataclasses.replace(PLAIN, ttl=300_000), (RIGHT, b"k", b"row", 0))
    assert notes(PLAIN, store) == ["ttl 5m → 0: rows that had expired before are gone"]
    assert notes(dataclasses.replace(PLAIN, ttl=1), store) == []


def test_a_longer_history_does_not_bring_a_deleted_row_back() -> None:
    old = (RIGHT, b"k", b"row", 0), (RIGHT, b"k", None, 30), (RIGHT, b"x", b"", 500), (LEFT, b"x", b"", 500)
    longer = dataclasses.replace(VERSIONED, history=10_000)
    store = started(VERSIONED, *old)
    assert notes(longer, store) == ["history 100ms → 10s: past rows that were beyond the history before are gone"]
    driver = go_on(longer, store, (RIGHT, b"k", b"out of order", 20), (LEFT, b"k", b"v", 501))
    assert values(driver) == [(b"v", None)]
    assert next(one.reason for one in driver.side_outputs) == "expired"


def test_a_longer_history_reaches_back_to_what_was_there() -> None:
    old = (RIGHT, b"k", b"1", 450), (RIGHT, b"k", b"2", 500), (LEFT, b"k", b"", 500)
    driver = go_on(dataclasses.replace(VERSIONED, history=200), started(VERSIONED, *old), (LEFT, b"k", b"v", 460))
    assert values(driver) == [(b"v", b"1")]


@pytest.mark.parametrize("join", [TableTableJoin(how=How.OUTER), ForeignKeyJoin(foreign_key=names, how=How.LEFT)])
def test_a_joined_table_is_widened_with_a_word_and_not_narrowed(join: Any) -> None:
    narrow = dataclasses.replace(join, how=How.INNER)
    assert notes(join, started(narrow, (LEFT, b"k", b"v", 0))) == [
        f"how inner → {join.how}: rows that have one side only are missing until their next update"
    ]
    with pytest.raises(StateMismatch, match=f"one side only .how {join.how}. are not deleted by inner"):
        Driver(narrow, started(join, (LEFT, b"k", b"v", 0)))


def test_windows_of_another_size_are_refused() -> None:
    with pytest.raises(StateMismatch, match="its windows are others: size 10ms → 20ms"):
        Driver(dataclasses.replace(COUNT, size=20), started(COUNT, (LEFT, b"k", b"v", 0)))


def test_values_of_another_type_are_refused() -> None:
    count: Any = COUNT
    texts: Any = dataclasses.replace(count, initial=str, reduce=lambda text, *_: text + "x", value=str)
    with pytest.raises(StateMismatch, match="its values are not of <class 'str'>"):
        Driver(texts, started(COUNT, (LEFT, b"k", b"v", 0)))


def test_a_window_that_gave_its_result_gives_no_second_one_under_a_longer_grace() -> None:
    store = started(COUNT, (LEFT, b"k", b"v", 1), (LEFT, b"k", b"v", 100))
    longer = dataclasses.replace(COUNT, grace=1_000)
    assert notes(longer, store) == ["grace 5ms → 1s: what was late before stays late"]
    driver = go_on(longer, store, (LEFT, b"k", b"v", 2), (LEFT, b"k", b"v", 96), (LEFT, b"k", b"v", 5_000))
    assert [(one.start, one.value) for one in driver.results] == [(90, 1), (100, 1)]


def test_open_windows_close_under_a_shorter_grace() -> None:
    store = started(dataclasses.replace(COUNT, grace=1_000), (LEFT, b"k", b"v", 1), (LEFT, b"k", b"v", 100))
    driver = go_on(COUNT, store, (LEFT, b"k", b"v", 101))
    assert [(one.start, one.value) for one in driver.results] == [(0, 1)]
