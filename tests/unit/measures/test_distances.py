"""Distances between partners, beside a look at all pairs."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamapp.joins import Driver, Event, Side, StreamStreamJoin
from streamapp.measures.distances import Distances
from streamapp.measures.histogram import Share

examples = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

RECORDS = st.lists(st.tuples(st.sampled_from(Side), st.sampled_from([b"a", b"b"]), st.integers(0, 200)), max_size=40)
ALL = Share(10_000)


def distances(records: list[tuple[Side, bytes, int]]) -> Distances:
    found = Distances()
    for side, key, time in records:
        found.add(side, key, time)
    return found


@examples
@given(RECORDS)
def test_the_closest_partners_are_those_of_a_look_at_all_pairs(records: list[tuple[Side, bytes, int]]) -> None:
    lefts = [(key, time) for side, key, time in records if side is Side.LEFT]
    rights = [(key, time) for side, key, time in records if side is Side.RIGHT]
    apart = [[right - time for name, right in rights if name == key] for key, time in lefts]
    before = [min(-one for one in each if one <= 0) for each in apart if any(one <= 0 for one in each)]
    after = [min(one for one in each if one > 0) for each in apart if any(one > 0 for one in each)]
    nearest = [min(map(abs, each)) for each in apart if each]
    found = distances(records).windows()
    assert (found.records, found.with_partner) == (len(lefts), len(nearest))
    for histogram, plain in ((found.before, before), (found.after, after), (found.nearest, nearest)):
        assert [histogram.within(bound) for bound in range(201)] == [
            sum(one <= bound for one in plain) for bound in range(201)
        ]
    assert found.earlier + found.later + found.same == len(nearest)


@examples
@given(RECORDS, st.integers(-50, 50), st.integers(-50, 50))
def test_a_window_matches_as_many_left_records_as_the_join_with_it(
    records: list[tuple[Side, bytes, int]], before: int, after: int
) -> None:
    after = max(after, -before)
    driver = Driver(StreamStreamJoin(before=before, after=after, grace=1_000))
    batch = [(side, Event(key, b"v", time, offset)) for offset, (side, key, time) in enumerate(records)]
    joined = {result.left.offset for result in driver.process(batch).results if result.left is not None}
    assert distances(records).matched(before, after) == len(joined)


def test_of_keys_that_only_one_side_has_there_is_no_distance() -> None:
    found = distances([(Side.LEFT, b"a", 1), (Side.RIGHT, b"b", 1)]).windows()
    assert (found.records, found.with_partner, found.nearest.holds(ALL)) == (1, 0, 0)
