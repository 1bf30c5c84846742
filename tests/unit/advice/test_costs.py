"""What a grace costs, beside joins that run: when what waits comes out, and for how long what is held is held."""

from __future__ import annotations

from typing import Any

import pytest

from streamapp.advice.costs import grace_of, held, may_have_grace, reach, waits
from streamapp.joins import (
    AsOfJoin,
    Direction,
    Driver,
    ForeignKeyJoin,
    How,
    Join,
    NWayJoin,
    Side,
    StreamStreamJoin,
    StreamTableJoin,
    TableTableJoin,
    WindowedReduce,
)
from streamapp.windows import Count, WindowedAggregate, hopping, look_back, session, tumbling
from streamapp.windows.enrichment import Enrichment, Feature

GRACE = 7
#: Joins with the side of which a record waits, and whether its wait is counted from the end of its window.
WAITING: dict[str, tuple[Join[Any], int, int]] = {
    "left": (StreamStreamJoin(before=30, after=10, grace=GRACE, how=How.LEFT), Side.LEFT, 0),
    "right": (StreamStreamJoin(before=30, after=10, grace=GRACE, how=How.RIGHT), Side.RIGHT, 1),
    "as-of": (AsOfJoin(tolerance=20, grace=GRACE, direction=Direction.NEAREST, how=How.LEFT), Side.LEFT, 0),
    "versioned": (StreamTableJoin(How.LEFT, history=100, grace=GRACE), Side.LEFT, 0),
    "n-way": (NWayJoin((StreamTableJoin(How.LEFT, history=100, grace=GRACE),)), Side.LEFT, 0),
    "session": (WindowedAggregate(windows=session(50), aggregates={"n": Count()}, grace=GRACE), 0, 0),
}


@pytest.mark.parametrize("name", WAITING)
def test_what_waits_comes_out_so_long_after_its_time_and_no_sooner(name: str) -> None:
    join, side, which = WAITING[name]
    driver: Driver[Any] = Driver(join)
    driver.send(side, b"k", b"{}", 1_000)
    wait = waits(join, GRACE)[which].ms
    assert driver.send(side, b"other", b"{}", 1_000 + wait - 1).results == []
    assert [result.key for result in driver.send(side, b"other", b"{}", 1_000 + wait + 1).results] == [b"k"]


@pytest.mark.parametrize("windows", [tumbling(100), hopping(100, 50)])
def test_a_window_comes_out_so_long_after_its_end(windows: Any) -> None:
    join = WindowedAggregate(windows=windows, aggregates={"n": Count()}, grace=GRACE)
    (wait,) = waits(join, GRACE)
    driver = Driver(join)
    driver.send(0, b"k", b"{}", 1_060)
    results = driver.send(0, b"other", b"{}", 1_100 + wait.ms).results
    assert [(result.key, result.end) for result in results] == [(b"k", 1_100)]


@pytest.mark.parametrize(("side", "which"), [(Side.LEFT, 0), (Side.RIGHT, 1)])
def test_records_of_two_streams_are_held_so_long_and_no_longer(side: Side, which: int) -> None:
    join = StreamStreamJoin(before=30, after=10, grace=GRACE)
    span = held(join, GRACE)[which].ms
    driver = Driver(join)
    driver.send(side, b"k", b"v", 1_000)
    driver.send(side, b"other", b"v", 1_000 + span)
    assert len(driver.operator.held(b"k") or ()) == 1
    driver.send(side, b"other", b"v", 1_000 + span + 1)
    assert driver.operator.held(b"k") == []


def test_of_windows_that_overlap_a_record_makes_a_row_of_each() -> None:
    join = WindowedAggregate(windows=hopping(100, 30), aggregates={"n": Count()}, grace=GRACE)
    assert held(join, 5) == ((0, 105, 4),)


def test_of_tables_alone_nothing_is_late_and_nothing_waits() -> None:
    assert not may_have_grace(TableTableJoin())
    assert not may_have_grace(ForeignKeyJoin(foreign_key=lambda record: record.key))
    assert may_have_grace(StreamTableJoin())
    assert may_have_grace(None)


def test_topics_alone_hold_what_a_grace_holds_of_each() -> None:
    assert held(None, 5, (0, 1)) == ((0, 5, 0), (1, 5, 0))
    assert [wait.ms for wait in waits(None, 5)] == [5]


@pytest.mark.parametrize(
    ("join", "grace", "back"),
    [
        (StreamStreamJoin(before=30, after=10, grace=GRACE), GRACE, 37),
        (StreamStreamJoin(before=-5, after=20, grace=0), 0, 20),
        (AsOfJoin(tolerance=20, grace=GRACE), GRACE, 27),
        (StreamTableJoin(), None, 0),
        (NWayJoin((StreamTableJoin(history=9, grace=3),)), 3, 3),
        (WindowedReduce(size=10, grace=2, initial=list, reduce=lambda a, _s, _r: a, value=list), 2, 12),
        (WindowedAggregate(windows=look_back(40), aggregates={"n": Count()}, grace=1), 1, 41),
        (Enrichment(features={"n": Feature(Count(), 60)}, grace=4), 4, 64),
    ],
)
def test_how_far_back_a_record_can_meet_another_one(join: Join[Any], grace: int | None, back: int) -> None:
    assert (grace_of(join), reach(join)) == (grace, back)
