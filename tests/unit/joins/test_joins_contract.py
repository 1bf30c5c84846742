"""The contract of the joins, a rule a test. Times are in ms."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from result_texts import texts

from streamapp.joins import (
    AsOfJoin,
    Direction,
    Driver,
    Event,
    How,
    Joined,
    Reason,
    Record,
    Side,
    StreamStreamJoin,
    StreamTableJoin,
    WindowedReduce,
    both_sides,
)

L, R = Side.LEFT, Side.RIGHT


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


def test_an_unmatched_record_is_told_once_the_clock_is_past_window_and_grace() -> None:
    driver = pairs(how=How.LEFT, after=10, grace=5)
    driver.send(L, b"k", b"l", 100)
    assert texts(driver.send(R, b"other", b"r", 115).results) == []
    assert texts(driver.send(R, b"other", b"r", 116).results) == ["l-@100"]
    assert texts(driver.send(R, b"k", b"r", 112).results) == []


def test_unmatched_records_come_by_time_side_and_key_and_before_matches() -> None:
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
def test_a_record_without_a_key_is_unmatched_on_a_kept_side_and_else_rejected(how: How, kept: list[str]) -> None:
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


def test_where_each_pair_is_in_one_window_the_windows_agree_with_the_interval() -> None:
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
    results: list[Any] = interval.results
    assert Counter(in_windows) == Counter((result.left.value, result.right.value) for result in results)


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
