"""What look-back windows keep to: when results come, what is late, what a state is, and what a record costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streamapp.joins import Driver, Event, MemoryStore, Output, State, Verdict, Wall
from streamapp.joins.declared import StateMismatch, earlier
from streamapp.windows import Collect, Count, Distinct, Emission, Max, Own, Sum, Windowed, WindowedAggregate, look_back

FINAL, UPDATES, BOTH = Emission


def texts(size: int = 10, grace: int = 5, emission: Emission = FINAL) -> WindowedAggregate:
    """For each record the letters of its key in the window."""
    return WindowedAggregate(
        windows=look_back(size),
        grace=grace,
        aggregates={"letters": Collect("letter")},
        fields=lambda record: [(record.value or b"").decode()],
        emission=emission,
    )


def told(output: Output[Windowed]) -> list[tuple[int, str]]:
    return [(one.end, "".join(one.values[0])) for one in output.results if one.values]


def test_a_result_is_final_once_the_clock_is_at_its_time_and_the_grace() -> None:
    driver = Driver(texts())
    driver.send(0, b"k", b"a", 100)
    assert told(driver.send(0, b"other", b"x", 104)) == []
    assert told(driver.send(0, b"other", b"x", 105)) == [(100, "a")]


def test_a_window_has_neither_its_start_nor_what_comes_after_its_end() -> None:
    driver = Driver(texts())
    for letter, time in ((b"a", 100), (b"b", 101), (b"c", 110), (b"d", 111)):
        driver.send(0, b"k", letter, time)
    assert told(driver.finish())[-2:] == [(110, "bc"), (111, "cd")]


def test_records_of_one_time_count_in_the_order_in_which_they_came() -> None:
    driver = Driver(texts())
    driver.process([(0, Event(b"k", letter, 100)) for letter in (b"a", b"b", b"c")])
    assert told(driver.finish()) == [(100, "a"), (100, "ab"), (100, "abc")]


def test_a_record_that_comes_out_of_order_counts_for_those_after_it() -> None:
    driver = Driver(texts())
    driver.send(0, b"k", b"b", 103)
    driver.send(0, b"k", b"a", 99)
    assert told(driver.finish()) == [(99, "a"), (103, "ab")]


def test_an_update_comes_at_once_and_again_for_each_record_that_it_changes() -> None:
    driver = Driver(texts(emission=UPDATES))
    assert told(driver.send(0, b"k", b"b", 103)) == [(103, "b")]
    assert told(driver.send(0, b"k", b"c", 108)) == [(108, "bc")]
    assert told(driver.send(0, b"k", b"d", 109)) == [(109, "bcd")]
    assert told(driver.send(0, b"k", b"a", 104)) == [(104, "ba"), (108, "bac"), (109, "bacd")]


def test_final_results_and_updates_of_one_run_are_marked() -> None:
    driver = Driver(texts(emission=BOTH, grace=0))
    results = driver.send(0, b"k", b"a", 100).results
    assert [(one.final, one.start, one.end, one.timestamp) for one in results] == [
        (False, 90, 100, 100),
        (True, 90, 100, 100),
    ]


def test_final_results_of_all_keys_come_by_time_and_arrival() -> None:
    driver = Driver(texts())
    for key, time in ((b"z", 101), (b"a", 102), (b"b", 101), (b"a", 100)):
        driver.send(0, key, b"x", time)
    results = driver.finish().results
    assert [(one.key, one.end) for one in results] == [(b"a", 100), (b"z", 101), (b"b", 101), (b"a", 102)]


def test_a_late_record_is_told_with_how_late_and_counts_nowhere() -> None:
    driver = Driver(texts())
    driver.send(0, b"k", b"b", 110)
    (side,) = driver.send(0, b"k", b"a", 102).side_outputs
    assert (side.reason, side.late_by) == ("late", 3)
    assert told(driver.finish()) == [(110, "b")]


def test_what_has_no_key_or_value_or_field_is_told_and_does_not_move_the_clock() -> None:
    join = WindowedAggregate(windows=look_back(10), aggregates={"total": Sum("amount")})
    driver = Driver(join)
    driver.send(0, b"k", b'{"amount": 1}', 100)
    batch = [Event(None, b'{"amount": 1}', 500), Event(b"k", None, 500), Event(b"k", b'{"amont": 1}', 500)]
    sides = driver.process((0, event) for event in batch).side_outputs
    assert [side.reason for side in sides] == ["null_key", "null_value", "refused"]
    assert sides[-1].cause == "missing_field"
    assert driver.operator.clock.now == 100
    assert driver.operator.balance.rejected == 3


def test_sums_of_floats_do_not_drift() -> None:
    join = WindowedAggregate(
        windows=look_back(2), aggregates={"total": Sum("v")}, fields=lambda record: [float(record.value or 0)]
    )
    driver = Driver(join)
    driver.process((0, Event(b"k", b"1e17" if n % 2 else b"0.1", n)) for n in range(10_000))
    driver.send(0, b"k", b"0.1", 20_000)
    driver.send(0, b"k", b"0.2", 20_001)
    assert driver.results[-1].values == (0.1 + 0.2,)


def test_the_window_of_a_key_can_be_looked_at_as_of_the_clock() -> None:
    operator = Driver(texts()).operator
    operator.process([(0, Event(b"k", b"a", 100)), (0, Event(b"k", b"b", 105)), (0, Event(b"other", b"c", 111))])
    (window,) = operator.windows(b"k")  # type: ignore[attr-defined]
    assert (window.start, window.end, window.values, window.timestamp) == (101, 111, (["b"],), 105)
    assert list(operator.windows(b"nobody")) == []  # type: ignore[attr-defined]


def test_a_record_is_explained_as_pending_matched_or_late() -> None:
    driver = Driver(texts())
    driver.send(0, b"k", b"b", 110)
    pending = driver.operator.explain(0, Event(b"k", b"b", 110))
    assert (pending.verdict, pending.until) == (Verdict.PENDING, 115)
    late = Event(b"k", b"a", 102)
    (side,) = driver.process([(0, late)]).side_outputs
    assert driver.operator.explain(0, late).settled(side).verdict is Verdict.LATE
    driver.send(0, b"k", b"c", 115)
    assert driver.operator.explain(0, Event(b"k", b"b", 110)).verdict is Verdict.MATCHED


def test_a_record_from_the_future_harms_no_other_one() -> None:
    wall, store = Wall(), MemoryStore()
    wall.set(now=200, max_ahead=50)

    def run(*events: Event) -> list[tuple[int, str]]:
        state = State(store, wall)
        operator = texts(emission=BOTH, grace=0).start(state)
        output = operator.process((0, event) for event in events)
        state.commit()
        return [(one.end, "".join(one.values[0])) for one in output.results if one.values and one.final]

    assert run(Event(b"k", b"a", 100), Event(b"k", b"!", 1_000_000)) == [(100, "a")]
    assert run(Event(b"k", b"b", 105), Event(b"k", b"c", 104)) == [(105, "ab")]
    assert run(Event(b"k", b"d", 120)) == [(120, "d")]


def test_the_state_has_a_row_a_batch_for_as_long_as_it_is_needed() -> None:
    store = MemoryStore()
    driver = Driver(texts(), store)
    driver.process((0, Event(b"k", b"a", 100 + n)) for n in range(5))
    pages = list(store.scan(b"records/", b"records0"))
    assert len(pages) == 1
    driver.send(0, b"other", b"x", 118)
    driver.restart()
    assert pages[0] in list(store.scan(b"records/", b"records0"))
    driver.send(0, b"other", b"x", 119)
    assert pages[0] not in list(store.scan(b"records/", b"records0"))


def test_keys_that_fell_silent_are_forgotten() -> None:
    driver = Driver(texts())
    driver.process((0, Event(b"%d" % n, b"a", 100)) for n in range(50))
    driver.send(0, b"k", b"x", 200)
    driver.send(0, b"k", b"x", 300)
    assert set(driver.operator._histories) == {b"k"}  # type: ignore[attr-defined]


def started(join: Any, *records: tuple[bytes, bytes, int]) -> MemoryStore:
    store = MemoryStore()
    driver = Driver(join, store)
    for key, value, time in records:
        driver.send(0, key, value, time)
    return store


def test_a_longer_grace_leaves_late_what_was_late() -> None:
    store = started(texts(grace=0), (b"k", b"a", 100), (b"k", b"c", 110))
    assert earlier(State(store), texts(grace=50))[1] == ["grace 0 → 50ms: what was late before stays late"]
    driver = Driver(texts(grace=50), store)
    assert [side.reason for side in driver.send(0, b"k", b"b", 109).side_outputs] == ["late"]
    # Nothing can come before it any more.
    assert told(driver.send(0, b"k", b"d", 110)) == [(110, "cd")]
    driver.restart()
    assert told(driver.finish()) == []


def test_a_shorter_grace_gives_the_results_that_it_makes_final() -> None:
    store = started(texts(grace=50), (b"k", b"a", 100), (b"k", b"b", 110))
    driver = Driver(texts(grace=5), store)
    assert told(driver.send(0, b"k", b"c", 112)) == [(100, "a")]
    assert told(driver.finish()) == [(110, "b"), (112, "bc")]


def test_windows_of_another_size_are_refused() -> None:
    store = started(texts(size=10), (b"k", b"a", 100))
    with pytest.raises(StateMismatch, match="its windows are others: size 10ms → 20ms"):
        Driver(texts(size=20), store)


def test_updates_every_so_often_are_refused_when_declared() -> None:
    with pytest.raises(ValueError, match="every= is not for look-back windows"):
        WindowedAggregate(windows=look_back(10), aggregates={"n": Count()}, emission=UPDATES, every=5)


def counting(calls: list[int]) -> Own[int]:
    """The largest value, which is merged; each call counts."""

    def larger(one: int, other: int) -> int:
        calls[0] += 1
        return max(one, other)

    return Own("v", name="largest", initial=lambda: 0, add=larger, merge=larger, state_type=int)


@pytest.mark.parametrize(("behind", "most"), [(0, 8), (30_000, 300)])
def test_a_record_costs_a_logarithm_where_its_window_has_50_000(behind: int, most: int) -> None:
    calls = [0]
    join = WindowedAggregate(
        windows=look_back(50_000),
        grace=40_000,
        aggregates={"largest": counting(calls)},
        fields=lambda record: [record.timestamp % 1_000],
        emission=UPDATES,
    )
    operator = join.start(State(MemoryStore()))
    operator.process((0, Event(b"k", b"", n)) for n in range(50_100))
    # A record that is behind gives the results of all after it again.
    calls[0] = 0
    count = len(operator.process((0, Event(b"k", b"", 50_100 - behind + n)) for n in range(10)).results)
    assert calls[0] <= most * count


def test_a_record_costs_the_same_whatever_the_window_where_it_can_be_removed() -> None:
    calls = [0]

    def count(state: int, _: int) -> int:
        calls[0] += 1
        return state

    removed = Own("v", name="n", initial=lambda: 0, add=count, remove=count, state_type=int)
    join = WindowedAggregate(
        windows=look_back(20_000), aggregates={"n": removed}, fields=lambda _: [1], emission=UPDATES
    )
    operator = join.start(State(MemoryStore()))
    operator.process((0, Event(b"k", b"", n)) for n in range(20_000))
    calls[0] = 0
    operator.process((0, Event(b"k", b"", 20_000 + n)) for n in range(1_000))
    assert calls[0] == 2_000


@pytest.mark.parametrize("aggregate", [Max("v"), Sum("v"), Distinct("v"), Collect("v")], ids=str)
def test_merging_leaves_the_other_state_as_it_is(aggregate: Any) -> None:
    """What is below a node of the tree is merged into many windows."""
    place: Callable[[int], tuple[int, int]] = lambda n: (n, n)  # noqa: E731
    one, other = (aggregate.add(aggregate.initial(), value, place(value)) for value in (1, 2))
    for value in (3, 4):
        other = aggregate.add(other, value, place(value))
    before = repr(other)
    merged = aggregate.merge(one, other)
    for value in (5, 6):
        merged = aggregate.add(merged, value, place(value))
    assert repr(other) == before
