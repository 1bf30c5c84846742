"""Lateness: what the joins find late by a grace, measured before there is one; and who made it."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamapp.joins import Driver, Event, How, Reason, StreamStreamJoin, Wall
from streamapp.measures.histogram import Share
from streamapp.measures.lateness import NAMED, Lateness, Measured, Place

examples = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

TIMES = st.lists(st.integers(0, 200), min_size=1, max_size=60)


def place(offset: int) -> Place:
    return Place("t", 0, offset)


def measured(times: list[int], grace: int | None = None) -> Lateness:
    found = Lateness(grace=grace)
    for offset, time in enumerate(times):
        found.see(place(offset), time)
    found.close()
    return found


@examples
@given(TIMES, st.integers(0, 100), st.lists(st.booleans(), min_size=60, max_size=60))
def test_as_many_are_late_as_a_join_with_that_grace_finds_late(times: list[int], grace: int, keys: list[bool]) -> None:
    found = Lateness(grace=grace)
    driver = Driver(StreamStreamJoin(before=0, after=0, grace=grace, how=How.OUTER))
    for offset, time in enumerate(times):
        found.see(place(offset), time, moves=keys[offset])
        driver.process([(offset % 2, Event(b"k" if keys[offset] else None, b"v", time, offset))])
    late = [side for side in driver.side_outputs if side.reason is Reason.LATE]
    assert found.late == len(late)
    assert found.histogram.count - found.histogram.within(grace) == len(late)
    assert found.clock.now == driver.operator.clock.now


@examples
@given(TIMES)
def test_a_record_is_as_late_as_it_is_behind_the_largest_time_so_far(times: list[int]) -> None:
    behind = sorted(max(times[: offset + 1]) - time for offset, time in enumerate(times))
    histogram = measured(times).histogram
    assert histogram.holds(Share(10_000)) == behind[-1]
    assert [histogram.within(bound) for bound in range(201)] == [
        sum(one <= bound for one in behind) for bound in range(201)
    ]


@examples
@given(TIMES)
def test_the_first_dragger_is_the_record_that_made_the_most_lateness(times: list[int]) -> None:
    made: dict[int, tuple[int, int]] = {}
    clock, mover, jump = times[0], 0, None
    worst: dict[int, int] = {}
    jumps: dict[int, int | None] = {0: None}
    for offset, time in enumerate(times[1:], 1):
        if time > clock:
            jump, mover, clock = time - clock, offset, time
            jumps[mover] = jump
        else:
            worst[mover] = max(worst.get(mover, 0), clock - time)
    for offset, by in worst.items():
        jump = jumps[offset]
        made[offset] = (by if jump is None else min(jump, by), offset)
    best = max((drag for drag, _ in made.values()), default=0)
    draggers = measured(times).draggers
    assert [one.drag for one in draggers[:1]] == ([best] if best else [])
    assert len(draggers) <= NAMED


def test_one_record_of_the_future_is_named_with_all_that_were_behind_it() -> None:
    times = [*range(0, 1_000, 10), 500_000, *range(1_000, 3_000, 10)]
    (dragger, *others) = measured(times).draggers
    assert (dragger.place, dragger.timestamp, dragger.jump) == (place(100), 500_000, 500_000 - 990)
    assert (dragger.behind, dragger.worst) == (200, 499_000)
    assert others == []


def test_a_late_record_and_a_silence_are_not_taken_for_one_of_the_future() -> None:
    late = measured([*range(0, 1_000, 10), 5, *range(1_000, 2_000, 10)])
    assert [one.drag for one in late.draggers] == [10]
    silence = measured([0, 10, 1_000_000, 999_995, 1_000_010])
    assert [one.drag for one in silence.draggers] == [5]


def test_what_is_ahead_of_the_wall_clock_is_counted_and_may_move_nothing() -> None:
    wall = Wall()
    wall.set(1_000, 60)
    found = Lateness(wall)
    for offset, time in enumerate([900, 1_050, 5_000, 1_000, 7_000]):
        found.see(place(offset), time)
    assert (found.future, found.beyond, found.furthest) == (3, 2, (7_000, place(4)))
    assert (found.clock.now, found.histogram.longest) == (1_050, 50)


def test_event_time_that_goes_on_by_itself_makes_late_what_comes_after() -> None:
    found = Lateness(grace=10)
    found.see(place(0), 100)
    found.pass_to(200)
    assert found.see(place(1), 150) == 50
    assert found.late == 1
    assert found.close().draggers == []


@examples
@given(TIMES, TIMES)
def test_clocks_that_are_merged_tell_of_all_their_records(first: list[int], second: list[int]) -> None:
    whole = Measured()
    for times in (first, second):
        whole.merge(measured(times, grace=20))
    assert whole.histogram.count == len(first) + len(second)
    assert whole.late == measured(first, 20).late + measured(second, 20).late
