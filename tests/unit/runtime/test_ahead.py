"""Records that are ahead of the wall clock: how they are told, how far clocks may go, and in which order others go."""

from __future__ import annotations

import itertools
import logging

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st
from test_alignment import CLICKS, JOINED, PROFILES, VIEWS, batch, done, learn, taken, together

from streamapp.joins import Clock, Wall
from streamapp.runtime.ahead import Ahead, WallClock
from streamapp.runtime.alignment import Alignment
from streamapp.runtime.batch import Batch, Merged

FAR = 10_000


class Times:
    """A wall clock that is set by hand, and a time that is not."""

    def __init__(self) -> None:
        self.real = self.steady = 1_000_000

    def clock(self, max_ahead: float) -> WallClock:
        return WallClock(max_ahead, lambda: self.real, lambda: self.steady)

    def sleep(self, duration: int) -> None:
        self.real += duration
        self.steady += duration


@pytest.fixture
def times() -> Times:
    return Times()


def test_a_record_pushes_a_clock_only_as_far_ahead_of_the_wall_clock_as_it_may(times: Times) -> None:
    wall = times.clock(60)
    clock = Clock(wall)
    clock.advance_over([999_000, 1_060_001, 1_060_000])
    assert clock.now == 1_060_000
    assert clock.past == 1_000_000
    clock.advance_over([1_060_001])
    assert clock.now == 1_060_000
    times.sleep(1)
    wall.refresh()
    clock.advance_over([1_060_001])
    assert clock.now == 1_060_001


def test_a_wall_clock_set_back_does_not_stop_time_and_one_set_forward_counts(times: Times) -> None:
    wall = times.clock(60)
    times.sleep(500)
    times.real -= 3_600_000
    wall.refresh()
    assert (wall.now, wall.limit) == (1_000_500, 1_060_500)
    times.sleep(500)
    wall.refresh()
    assert wall.now == 1_001_000
    times.real += 7_200_000
    wall.refresh()
    assert wall.now == 1_001_000 + 3_600_000


def test_without_a_bound_any_record_pushes_the_clock(times: Times) -> None:
    clock = Clock(times.clock(-1))
    clock.advance(1 << 60)
    assert clock.now == clock.past == 1 << 60


def test_before_the_first_record_there_is_no_time(times: Times) -> None:
    clock = Clock(times.clock(0))
    clock.advance_over([])
    clock.advance_over([1_000_001])
    assert (clock.now, clock.past) == (None, None)


def test_records_ahead_are_counted_and_one_of_them_is_told_in_a_line(
    times: Times, caplog: pytest.LogCaptureFixture
) -> None:
    ahead = Ahead(times.clock(60), "STREAMAPP_MAX_AHEAD=60")
    with caplog.at_level(logging.WARNING):
        ahead.look(batch(TP("clicks", 3), 1_000_000, 1_060_000))
        assert not ahead.counts
        for _ in range(2):
            ahead.look(batch(TP("clicks", 3), 1_000_000, 4_300_000, 1_060_001, offset=7))
    assert ahead.counts == {"clicks": 4}
    (line,) = caplog.messages
    assert line == (
        "clicks[3]@8 is 3,300 s ahead of the clock of this host, and STREAMAPP_MAX_AHEAD=60 allows less: it is joined "
        "by its own time, but does not move the event clock of its partition (2 such records of this topic so far)"
    )


@pytest.fixture
def wall() -> Wall:
    wall = Wall()
    wall.set(100, 10)
    return wall


@pytest.fixture
def alignment(wall: Wall) -> Alignment:
    return Alignment(JOINED, [CLICKS, PROFILES], wall=wall)


def test_a_record_ahead_goes_with_those_around_it(alignment: Alignment) -> None:
    alignment.hold(batch(CLICKS, FAR, 10, FAR, 20, 30))
    alignment.hold(batch(PROFILES, 5, 15, FAR, 25))
    order = []
    for tp in (PROFILES, CLICKS, PROFILES, CLICKS, PROFILES):
        order += taken(alignment)
        done(alignment, tp)
    assert order == [
        ("profiles", [5]),
        ("clicks", [FAR, 10, FAR]),
        ("profiles", [15, FAR]),
        ("clicks", [20]),
        ("profiles", [25]),
    ]


def test_a_record_ahead_that_came_alone_waits_for_what_is_older_than_its_coming(alignment: Alignment) -> None:
    alignment.hold(batch(PROFILES, FAR))
    alignment.hold(batch(CLICKS, 90, 100, 101, 102))
    order = []
    for tp in (CLICKS, PROFILES):
        order += taken(alignment)
        done(alignment, tp)
    assert order == [("clicks", [90]), ("profiles", [FAR])]


def test_where_all_records_are_ahead_they_go_by_their_own_times(alignment: Alignment) -> None:
    alignment.hold(batch(CLICKS, FAR + 5, FAR + 15))
    alignment.hold(batch(PROFILES, FAR, FAR + 10))
    order = []
    for tp in (PROFILES, CLICKS, PROFILES):
        order += taken(alignment)
        done(alignment, tp)
    assert order == [("profiles", [FAR]), ("clicks", [FAR + 5]), ("profiles", [FAR + 10])]


TIMES = st.lists(st.integers(0, 50), min_size=2, max_size=12)


@given(TIMES, TIMES, st.integers(0, 12), st.booleans(), st.integers(2, 5))
def test_a_record_ahead_changes_the_order_of_no_others_in_a_round(left, right, place, of_left, size) -> None:
    def merged(left: list[int], right: list[int]) -> list[tuple[int, int]]:
        wall = Wall()
        wall.set(100, 10)
        alignment = together("clicks", "views")
        alignment.wall = wall
        times, ends = {CLICKS: left, VIEWS: right}, {CLICKS: len(left), VIEWS: len(right)}
        positions, order = dict.fromkeys(times, 0), []
        while positions != ends or alignment.full:
            for tp in times.keys() - alignment.full:
                if (start := positions[tp]) < ends[tp]:
                    # A batch that is cut is no smaller for the record that is ahead: it does not come alone.
                    positions[tp] = stop = min(start + size + (FAR in times[tp][start : start + size]), ends[tp])
                    alignment.hold(batch(tp, *times[tp][start:stop], offset=start))
            learn(alignment, ends, positions)
            parts = alignment.take()
            whole = Merged.of([CLICKS, VIEWS], parts)
            order += [(record.timestamp, side) for record, side in zip(whole, whole.sources, strict=True)]
            for part in parts:
                done(alignment, part.tp)
        return order

    with_it = [[*left], [*right]]
    with_it[0 if of_left else 1].insert(place, FAR)
    assert [one for one in merged(*with_it) if one[0] != FAR] == merged(left, right)


def test_parts_of_a_batch_keep_the_places_of_their_records(alignment: Alignment) -> None:
    alignment.hold(batch(CLICKS, 10, FAR, 20))
    learn(alignment, {PROFILES: 0}, {PROFILES: 0})
    (whole,) = alignment.take()
    halves = list(itertools.chain(*(half.halves() if len(half) > 1 else [half] for half in whole.anew().halves())))
    assert [place for half in halves for place in half.places or ()] == [10, 10, 20]
    assert isinstance(halves[0], Batch)
