"""Redriven records that are late: joined with what the state still has, and accounted for; others are late as ever."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.functions.process import Process
from streamapp.joins import (
    AsOfJoin,
    Direction,
    Driver,
    Event,
    How,
    Reason,
    Side,
    StreamStreamJoin,
    StreamTableJoin,
)
from streamapp.joins.corrections import HEADER, mark_of


@dataclasses.dataclass(frozen=True)
class Redriven:
    """A record with the mark of one that is sent once more."""

    key: bytes | None
    value: bytes | None
    timestamp: int
    offset: int = -1
    headers: Any = ((HEADER, b"letters/0/1"), ("trace", b"1"))


def redrive(driver: Driver[Any], side: int, value: bytes, timestamp: int, key: bytes = b"k") -> Any:
    return driver.process([(side, Redriven(key, value, timestamp))])


def told(driver: Driver[Any]) -> list[tuple[Reason, bytes | None, int]]:
    return [(side.reason, side.record.value, side.late_by) for side in driver.side_outputs]


def pairs(driver: Driver[Any]) -> list[tuple[bytes | None, bytes | None]]:
    return [(one.left and one.left.value, one.right and one.right.value) for one in driver.results]


def test_the_mark_is_the_first_header() -> None:
    assert mark_of(Redriven(b"k", b"v", 0)) == b"letters/0/1"
    assert mark_of(Redriven(b"k", b"v", 0, headers=(("trace", b"1"), (HEADER, b"x")))) is None
    assert mark_of(Redriven(b"k", b"v", 0, headers=())) is None
    assert mark_of(Event(b"k", b"v", 0)) is None


def test_a_late_record_joins_the_partners_that_are_still_there() -> None:
    driver = Driver(StreamStreamJoin(before=100, after=0, grace=10))
    driver.send(Side.RIGHT, b"k", b"gone", 0)
    driver.send(Side.RIGHT, b"k", b"there", 95)
    driver.send(Side.RIGHT, b"other", b"clock", 150)
    driver.send(Side.LEFT, b"k", b"late", 96)
    assert told(driver)[-1] == (Reason.LATE, b"late", 44)
    redrive(driver, Side.LEFT, b"again", 96)
    assert pairs(driver) == [(b"again", b"there")]
    assert driver.results[0].timestamp == 96
    assert told(driver)[-1] == (Reason.PARTLY_LATE, b"again", 44)
    assert driver.operator.balance.holds


def test_a_late_record_whose_window_is_open_finds_partners_that_are_to_come() -> None:
    driver = Driver(StreamStreamJoin(before=0, after=100, grace=10))
    driver.send(Side.RIGHT, b"other", b"clock", 50)
    redrive(driver, Side.LEFT, b"again", 20)
    driver.restart()
    driver.send(Side.RIGHT, b"k", b"next", 110)
    assert pairs(driver) == [(b"again", b"next")]
    assert driver.operator.balance.holds


def test_a_late_record_of_which_nothing_is_there_is_late_again() -> None:
    driver = Driver(StreamStreamJoin(before=10, after=10, grace=0, how=How.OUTER))
    driver.send(Side.RIGHT, b"other", b"clock", 1_000)
    redrive(driver, Side.LEFT, b"again", 20)
    assert pairs(driver) == []
    assert told(driver) == [(Reason.LATE, b"again", 980)]
    assert driver.operator.balance.late == 1
    assert driver.operator.balance.holds


Arrival = tuple[int, int, int, bool]
arrivals = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 60), st.booleans()), min_size=1, max_size=25
)


@given(arrivals, st.integers(-5, 15), st.integers(5, 15), st.integers(0, 10), st.sampled_from(How), st.booleans())
def test_late_records_that_are_redriven_agree_with_a_plain_model(
    records: list[Arrival], before: int, after: int, grace: int, how: How, restarts: bool
) -> None:
    join = StreamStreamJoin(before=before, after=after, grace=grace, how=how)
    driver = Driver(join)
    reach = join.reach
    now = -(10**9)
    accepted: list[tuple[int, int, int, int]] = []
    expected: Counter[tuple[int, int]] = Counter()
    late: list[int] = []
    for number, (side, key, time, again) in enumerate(records):
        value = b"%d" % number
        record = Redriven(b"%d" % key, value, time) if again else Event(b"%d" % key, value, time)
        is_late = time < now - grace
        now = max(now, time)
        low, high = (time - before, time + after) if side == Side.LEFT else (time - after, time + before)
        partners = [
            other
            for other, theirs, same, at in accepted
            if theirs != side and same == key and low <= at <= high and (not is_late or at + reach[theirs] >= now)
        ]
        if is_late and (not again or (not partners and time + reach[side] < now)):
            late.append(number)
        else:
            accepted.append((number, side, key, time))
            expected.update((number, other) if side == Side.LEFT else (other, number) for other in partners)
        driver.process([(side, record)])
        assert driver.operator.balance.holds
        if restarts:
            driver.restart()
    driver.finish()
    found = pairs(driver)
    assert Counter((int(left), int(right)) for left, right in found if left and right) == expected
    matched = {number for pair in expected for number in pair}
    sides = {number: side for number, side, _, _ in accepted}
    alone = [int(left or right or b"") for left, right in found if not (left and right)]
    assert sorted(alone) == sorted(n for n, side in sides.items() if n not in matched and how.keeps(Side(side)))
    assert [int(one.record.value or b"") for one in driver.side_outputs if one.reason is Reason.LATE] == late
    assert driver.operator.balance.matched == len(matched)
    assert driver.operator.balance.pending == 0


def test_a_late_record_joins_the_row_of_its_own_time_as_far_as_the_history_reaches() -> None:
    driver = Driver(StreamTableJoin(history=100, grace=10))
    for at in (0, 50, 100):
        driver.send(Side.RIGHT, b"k", b"row %d" % at, at)
    driver.send(Side.LEFT, b"k", b"clock", 120)
    redrive(driver, Side.LEFT, b"again", 60)
    redrive(driver, Side.LEFT, b"too old", -10)
    assert pairs(driver) == [(b"again", b"row 50")]
    assert told(driver) == [(Reason.LATE, b"too old", 120)]
    assert driver.operator.balance.holds


@pytest.mark.parametrize("side", Side)
def test_an_as_of_join_takes_what_it_has_not_decided_on(side: Side) -> None:
    driver = Driver(AsOfJoin(tolerance=20, grace=10, direction=Direction.FORWARD, how=How.LEFT))
    if side == Side.LEFT:
        driver.send(Side.RIGHT, b"k", b"right", 90)
    else:
        driver.send(Side.LEFT, b"k", b"left", 85)
    driver.send(Side.LEFT, b"other", b"clock", 110)
    redrive(driver, side, b"again", 88)
    redrive(driver, side, b"too old", 70)
    driver.finish()
    joined = (b"again", b"right") if side == Side.LEFT else (b"left", b"again")
    assert joined in pairs(driver)
    assert (Reason.LATE, b"too old", 30) in told(driver)
    assert driver.operator.balance.holds
    assert driver.operator.updates.holds


def test_a_function_is_called_for_a_late_record_for_its_state_is_there() -> None:
    def count(record: Any, context: Any) -> None:
        context.state["n"] = context.state.get("n", 0) + 1
        context.emit(context.state["n"])

    state: Any = dict[str, int]
    driver = Driver(Process(function=count, state=state, grace=10))
    driver.send(0, b"k", b"1", 100)
    driver.send(0, b"k", b"2", 50)
    redrive(driver, 0, b"3", 50)
    assert [one.record.value for one in driver.results] == [1, 2]
    assert told(driver) == [(Reason.LATE, b"2", 40)]
    assert driver.operator.balance.holds
