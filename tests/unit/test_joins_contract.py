"""The contract of the joins, a rule a test. Times are in ms."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from streamapp.joins import (
    AsOfJoin,
    Direction,
    Driver,
    Event,
    ForeignKeyJoin,
    GlobalTable,
    How,
    Joined,
    MemoryStore,
    NWayJoin,
    Reason,
    Record,
    Refused,
    Row,
    Side,
    State,
    StreamStreamJoin,
    StreamTableJoin,
    TableTableJoin,
    WindowedReduce,
    both_sides,
)

L, R = Side.LEFT, Side.RIGHT


def texts(results: list[Any]) -> list[str]:
    """Results as ``left-right@timestamp``; - is a missing side."""

    def text(side: Record | Row | None) -> str:
        return "" if side is None or side.value is None else side.value.decode()

    return [f"{text(result.left)}-{text(result.right)}@{result.timestamp}" for result in results]


def pairs(how: How = How.INNER, before: int = 10, after: int = 10, grace: int = 5) -> Driver[Joined]:
    return Driver(StreamStreamJoin(before=before, after=after, grace=grace, how=how))


def test_both_ends_of_a_window_are_in_it_and_a_result_has_the_larger_time() -> None:
    driver = pairs(before=10, after=3, grace=100)
    driver.send(L, b"k", b"l", 100)
    for timestamp in (89, 90, 103, 104):
        driver.send(R, b"k", b"r", timestamp)
    assert texts(driver.results) == ["l-r@100", "l-r@103"]


def test_a_window_may_lie_all_before_or_all_after_a_record() -> None:
    driver = pairs(before=-5, after=10, grace=100)
    driver.send(L, b"k", b"l", 100)
    for timestamp in (104, 105, 110, 111):
        driver.send(R, b"k", b"r", timestamp)
    assert texts(driver.results) == ["l-r@105", "l-r@110"]


def test_a_record_behind_the_clock_by_more_than_the_grace_is_late_and_joins_nothing() -> None:
    driver = pairs(how=How.OUTER, grace=5)
    driver.send(L, b"k", b"l", 100)
    driver.send(R, b"k", b"on time", 95)
    driver.send(R, b"k", b"late", 94)
    assert texts(driver.results) == ["l-on time@100"]
    assert [(told.reason, told.record.value, told.late_by) for told in driver.side_outputs] == [
        (Reason.LATE, b"late", 1)
    ]


def test_an_unmatched_record_is_told_once_the_clock_is_past_its_window_and_the_grace() -> None:
    driver = pairs(how=How.LEFT, after=10, grace=5)
    driver.send(L, b"k", b"l", 100)
    assert texts(driver.send(R, b"other", b"r", 115).results) == []
    assert texts(driver.send(R, b"other", b"r", 116).results) == ["l-@100"]
    assert texts(driver.send(R, b"k", b"r", 112).results) == []


def test_unmatched_records_come_by_time_then_right_before_left_then_key_and_before_matches() -> None:
    driver = pairs(how=How.OUTER, before=0, after=0, grace=0)
    batch = [(L, b"b", b"lb"), (L, b"a", b"la"), (R, b"d", b"rd"), (R, b"c", b"rc")]
    driver.process([(side, Event(key, value, 5)) for side, key, value in batch])
    driver.send(L, b"z", b"l", 7)
    assert texts(driver.send(R, b"z", b"r", 7).results) == ["l-r@7"]
    assert texts(driver.results) == ["-rc@5", "-rd@5", "la-@5", "lb-@5", "l-r@7"]


def test_matches_come_by_the_time_of_the_other_side_and_then_by_arrival() -> None:
    driver = pairs(grace=100)
    for value, timestamp in ((b"b", 5), (b"c", 5), (b"a", 4), (b"d", 6)):
        driver.send(R, b"k", value, timestamp)
    assert texts(driver.send(L, b"k", b"l", 5).results) == ["l-a@5", "l-b@5", "l-c@5", "l-d@6"]


@pytest.mark.parametrize(
    ("how", "kept"), [(How.INNER, []), (How.LEFT, ["l-@7"]), (How.RIGHT, ["-r@8"]), (How.OUTER, ["l-@7", "-r@8"])]
)
def test_a_record_without_a_key_is_unmatched_on_a_side_that_is_kept_and_else_rejected(
    how: How, kept: list[str]
) -> None:
    driver = pairs(how)
    driver.send(L, None, b"l", 7)
    driver.send(R, None, b"r", 8)
    assert texts(driver.results) == kept
    assert [told.reason for told in driver.side_outputs] == [Reason.NULL_KEY] * 2
    balance = driver.operator.balance
    assert (balance.unmatched, balance.rejected) == (len(kept), 2 - len(kept))


def test_a_record_that_cannot_be_joined_does_not_move_the_clock() -> None:
    driver = pairs(How.OUTER)
    driver.send(L, b"k", b"l", 100)
    driver.send(L, None, b"no key", 10_000)
    driver.send(R, b"k", None, 10_000)
    assert texts(driver.send(R, b"k", b"r", 100).results) == ["l-r@100"]


def test_a_self_join_pairs_each_record_with_itself_and_each_two_in_both_roles() -> None:
    driver = pairs(before=0, after=10, grace=0)
    driver.process(both_sides([Event(b"k", b"a", 0), Event(b"k", b"b", 10)]))
    assert texts(driver.results) == ["a-a@0", "a-b@10", "b-b@10"]


@pytest.mark.parametrize(
    ("before", "after", "grace"),
    [(-11, 10, 0), (0, 0, -1)],
)
def test_a_window_of_less_than_nothing_is_refused(before: int, after: int, grace: int) -> None:
    with pytest.raises(ValueError, match=r"window|grace"):
        StreamStreamJoin(before=before, after=after, grace=grace)


def test_an_idle_timeout_lets_event_time_go_on_with_the_wall_clock() -> None:
    driver = Driver(StreamStreamJoin(before=0, after=10, grace=5, how=How.LEFT), idle_timeout=100)
    driver.send(L, b"k", b"l", 1_000)
    assert texts(driver.sleep(99).results) == []
    assert texts(driver.sleep(1).results) == ["l-@1000"]
    assert driver.operator.clock.now == 1_100
    assert driver.operator.balance.pending == 0


def test_without_an_idle_timeout_a_silent_input_holds_its_windows_open() -> None:
    driver = Driver(StreamStreamJoin(before=0, after=10, grace=5, how=How.LEFT))
    driver.send(L, b"k", b"l", 1_000)
    assert texts(driver.sleep(10**9).results) == []
    assert driver.operator.balance.pending == 1
    assert texts(driver.finish().results) == ["l-@1000"]


def test_a_record_that_comes_while_the_wall_clock_leads_is_late() -> None:
    driver = Driver(StreamStreamJoin(before=0, after=10, grace=5, how=How.LEFT), idle_timeout=100)
    driver.send(L, b"k", b"l", 1_000)
    driver.sleep(200)
    driver.send(R, b"k", b"r", 1_001)
    assert [(told.reason, told.late_by) for told in driver.side_outputs[1:]] == [(Reason.LATE, 194)]


@pytest.mark.parametrize(
    ("direction", "expected"),
    [(Direction.BACKWARD, "l-before@100"), (Direction.FORWARD, "l-after@100"), (Direction.NEAREST, "l-before@100")],
)
def test_an_as_of_join_takes_the_closest_and_of_two_as_close_the_earlier(direction: Direction, expected: str) -> None:
    driver = Driver(AsOfJoin(tolerance=20, grace=50, direction=direction))
    driver.send(L, b"k", b"l", 100)
    for value, timestamp in ((b"far", 80), (b"after", 110), (b"farther", 111), (b"before", 90)):
        driver.send(R, b"k", value, timestamp)
    assert texts(driver.finish().results) == [expected]


def test_an_as_of_join_waits_for_what_may_still_come_closer() -> None:
    driver = Driver(AsOfJoin(tolerance=20, grace=10))
    driver.send(R, b"k", b"old", 90)
    driver.send(L, b"k", b"l", 100)
    assert texts(driver.send(L, b"k", b"next", 110).results) == []
    driver.send(R, b"k", b"new", 100)
    assert texts(driver.send(L, b"k", b"last", 111).results) == ["l-new@100"]


def test_of_several_right_records_of_one_time_an_as_of_join_takes_the_last() -> None:
    for direction in Direction:
        driver = Driver(AsOfJoin(tolerance=0, grace=10, direction=direction))
        for value in (b"first", b"last"):
            driver.send(R, b"k", value, 100)
        driver.send(L, b"k", b"l", 100)
        assert texts(driver.finish().results) == ["l-last@100"]


def test_beyond_the_tolerance_an_as_of_join_finds_nothing() -> None:
    driver = Driver(AsOfJoin(tolerance=20, grace=50, direction=Direction.NEAREST, how=How.LEFT))
    for timestamp in (79, 121):
        driver.send(R, b"k", b"r", timestamp)
    driver.send(L, b"k", b"l", 100)
    assert texts(driver.finish().results) == ["l-@100"]


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


def test_a_version_that_came_out_of_order_is_kept_until_the_next_one_is_beyond_the_history() -> None:
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


def test_with_a_grace_a_record_waits_for_late_updates_and_only_the_stream_moves_its_clock() -> None:
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


def test_a_right_update_reaches_all_left_rows_that_name_it_in_the_order_of_their_keys() -> None:
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


def window(size: int, advance: int | None = None, grace: int = 0) -> WindowedReduce[tuple[list[bytes], list[bytes]]]:
    """The join as written by hand: the values of both sides, collected by window."""

    def collect(sides: Any, side: int, record: Record) -> Any:
        sides[side].append(record.value)
        return sides

    return WindowedReduce(
        size=size,
        advance=advance,
        grace=grace,
        initial=lambda: ([], []),
        reduce=collect,
        value=tuple[list[bytes], list[bytes]],
    )


def test_a_tumbling_window_gives_its_value_when_it_closes_and_the_late_are_told() -> None:
    driver = Driver(window(10, grace=5))
    driver.send(L, b"k", b"l", 9)
    driver.send(R, b"k", b"next", 14)
    driver.send(R, b"k", b"r", 9)
    driver.send(R, b"k", b"late", 8)
    assert driver.results == []
    driver.send(R, b"other", b"", 15)
    (result,) = driver.results
    assert (result.start, result.end, result.value, result.timestamp) == (0, 10, ([b"l"], [b"r"]), 9)
    assert [(told.reason, told.late_by) for told in driver.side_outputs] == [(Reason.LATE, 1)]


def test_hopping_windows_overlap() -> None:
    driver = Driver(window(10, advance=5))
    driver.send(L, b"k", b"l", 12)
    driver.finish()
    assert [(result.start, result.value[0]) for result in driver.results] == [(5, [b"l"]), (10, [b"l"])]
    assert driver.operator.balance.matched == 1


def test_where_each_pair_lies_in_one_window_the_windows_agree_with_the_interval_join() -> None:
    # Bursts of 100 ms, each in a window of its own and far from the next, come out of order within the grace.
    seeded = random.Random(7)
    inputs = []
    for number in range(400):
        timestamp = 1_000 * seeded.randrange(1 + number // 40, 3 + number // 40) + seeded.randrange(100)
        inputs.append((seeded.choice([L, R]), Event(seeded.choice([b"a", b"b"]), b"%d" % number, timestamp)))
    by_hand, interval = Driver(window(1_000, grace=2_000)), pairs(before=99, after=99, grace=2_000)
    for driver in (by_hand, interval):
        driver.process(inputs)
        driver.finish()
        assert driver.operator.balance.late == 0
    in_windows = [(left, right) for result in by_hand.results for left in result.value[0] for right in result.value[1]]
    assert len(in_windows) > 1_000
    assert Counter(in_windows) == Counter((result.left.value, result.right.value) for result in interval.results)


@pytest.mark.parametrize(
    "join",
    [
        StreamStreamJoin(before=30, after=20, grace=10_000, how=How.OUTER),
        AsOfJoin(tolerance=30, grace=10_000, direction=Direction.NEAREST, how=How.LEFT),
        StreamTableJoin(How.LEFT, history=10_000, grace=10_000),
        window(50, advance=10, grace=10_000),
    ],
    ids=lambda join: type(join).__name__,
)
def test_within_the_grace_the_order_of_arrival_makes_no_difference(join: Any) -> None:
    seeded = random.Random(3)
    times = seeded.sample(range(1_000), 300)  # each its own: of one time, the last to come counts
    inputs = [(seeded.choice([L, R]), Event(seeded.choice([b"a", b"b"]), b"%d" % time, time)) for time in times]

    def run() -> list[str]:
        driver: Driver[Any] = Driver(join)
        driver.process(inputs)
        driver.finish()
        return sorted(str(plain(result)) for result in driver.results)

    expected = run()
    assert len(expected) > 100
    for _ in range(5):
        seeded.shuffle(inputs)
        assert run() == expected


def plain(result: Any) -> Any:
    if isinstance(result, Joined):
        return (result.key, *texts([result]))
    return (result.key, result.start, [sorted(values) for values in result.value], result.timestamp)


@pytest.mark.parametrize("function", [lambda: ForeignKeyJoin(foreign_key=name, how=How.OUTER), lambda: NWayJoin(())])
def test_joins_that_cannot_be_are_refused(function: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"inner or left|at least one"):
        function()
