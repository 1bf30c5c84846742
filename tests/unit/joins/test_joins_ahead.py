"""A record that is ahead of the wall clock harms none but itself, in every kind of join."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from join_models import Arrival
from test_joins_models import TWO_WAYS, arrivals, shown, tables

from streamapp.joins import (
    AsOfJoin,
    Direction,
    Event,
    ForeignKeyJoin,
    How,
    Join,
    MemoryStore,
    NWayJoin,
    Operator,
    Output,
    Reason,
    Record,
    State,
    StreamStreamJoin,
    StreamTableJoin,
    TableTableJoin,
    Wall,
    WindowedReduce,
)

#: Of a test's records the latest possible time (ms), what may be ahead of it, and what is.
NOW, MAX_AHEAD, FAR = 2_000, 50, 1_000_000
SPANS = st.integers(0, 40)
L, R = 0, 1


class Bounded:
    """A join at work whose clock is bounded by a wall clock; each call is a batch, committed."""

    def __init__(self, join: Join[Any], store: MemoryStore | None = None, now: int = NOW) -> None:
        self.wall = Wall()
        self.wall.set(now, MAX_AHEAD)
        self.join, self.store = join, store or MemoryStore()
        self.results: list[Any] = []
        self.side_outputs: list[Any] = []
        self.restart()

    def restart(self) -> None:
        self.state = State(self.store, self.wall)
        self.operator: Operator[Any] = self.join.start(self.state)

    def process(self, records: Sequence[Arrival]) -> Output[Any]:
        return self._done(self.operator.process([(r.source, Event(r.key, r.value, r.timestamp)) for r in records]))

    def send(self, source: int, key: bytes, value: bytes | None, timestamp: int) -> list[Any]:
        return self.process([Arrival(source, key, value, timestamp)]).results

    def _done(self, output: Output[Any]) -> Output[Any]:
        self.state.commit()
        assert self.operator.balance.holds
        assert self.operator.updates.holds
        self.results += output.results
        self.side_outputs += output.side_outputs
        return output


def windowed_reduce(size: int, step: int, grace: int) -> WindowedReduce[list[bytes]]:
    return WindowedReduce(
        size=size,
        advance=step,
        grace=grace,
        initial=list,
        reduce=lambda values, _, record: [*values, record.value or b""],
        value=list[bytes],
    )


@st.composite
def joins(draw: Any) -> tuple[Join[Any], int]:
    """Any kind of join, and how many sources it has."""
    kind = draw(st.sampled_from(["stream-stream", "as-of", "table", "tables", "table-table", "foreign", "windows"]))
    match kind:
        case "stream-stream":
            before, after = draw(st.integers(-40, 40)), draw(st.integers(-40, 40))
            how = draw(st.sampled_from(How))
            return StreamStreamJoin(before=before, after=max(after, -before), grace=draw(SPANS), how=how), 2
        case "as-of":
            direction = draw(st.sampled_from(Direction))
            return AsOfJoin(tolerance=draw(SPANS), grace=draw(SPANS), direction=direction, how=draw(TWO_WAYS)), 2
        case "table":
            return tables(cast("Any", _Drawn(draw)), 1)[0], 2
        case "tables":
            return NWayJoin(tables(cast("Any", _Drawn(draw)), 2)), 3
        case "table-table":
            histories = st.none() | st.integers(0, 100)
            how = draw(st.sampled_from(How))
            return TableTableJoin(how=how, left_history=draw(histories), right_history=draw(histories)), 2
        case "foreign":
            return ForeignKeyJoin(how=draw(TWO_WAYS), foreign_key=_named), 2
        case _:
            size = draw(st.integers(1, 40))
            return windowed_reduce(size, draw(st.integers(1, size)), draw(SPANS)), 2


def _named(record: Record) -> bytes | None:
    return (record.value or b"").split(b"|")[1] or None


class _Drawn:
    """Hypothesis' ``data``, of a composite strategy."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw


def run(
    join: Join[Any],
    records: Sequence[Arrival],
    cuts: Sequence[int],
    restarts: Sequence[bool],
    ahead: Arrival | None = None,
) -> Bounded:
    bounded = Bounded(join)
    places = sorted({0, len(records), *(cut % (len(records) + 1) for cut in cuts)})
    for number, (begin, end) in enumerate(itertools.pairwise(places)):
        batch = list(records[begin:end])
        bounded.process([ahead, *batch] if ahead is not None and number == len(places) // 3 else batch)
        if restarts[number % len(restarts)]:
            bounded.restart()
    return bounded


def told(bounded: Bounded, key: bytes | None = None) -> tuple[Counter[Any], Counter[Any]]:
    """What came out, but for what has to do with a key."""
    results = Counter(shown(result) for result in bounded.results if key is None or result.key != key)
    side = Counter((one.reason, one.record.value, one.late_by) for one in bounded.side_outputs if one.record.key != key)
    return results, side


CUTS, RESTARTS = st.lists(st.integers(0, 60), max_size=12), st.lists(st.booleans(), min_size=1, max_size=5)
examples = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@examples
@given(joins(), st.data(), CUTS, RESTARTS)
def test_a_record_ahead_changes_nothing_for_other_keys(
    drawn: Any, data: st.DataObject, cuts: Any, restarts: Any
) -> None:
    join, sources = drawn
    records = data.draw(arrivals(sources, foreign=True))
    ahead = Arrival(
        data.draw(st.integers(0, sources - 1)), b"ahead", b"x|none", NOW + data.draw(st.sampled_from([51, FAR]))
    )
    without = run(join, records, cuts, restarts)
    with_it = run(join, records, cuts, restarts, ahead)
    assert told(with_it, key=b"ahead") == told(without, key=b"ahead")
    assert with_it.operator.clock.now == without.operator.clock.now


@examples
@given(joins(), st.data(), CUTS, RESTARTS)
def test_a_bound_that_no_record_is_beyond_changes_nothing(
    drawn: Any, data: st.DataObject, cuts: Any, restarts: Any
) -> None:
    join, sources = drawn
    records = data.draw(arrivals(sources, foreign=True))
    bounded = run(join, records, cuts, restarts)
    free = Bounded(join)
    free.wall = Wall()
    free.restart()
    for record in records:
        free.process([record])
    assert [shown(result) for result in bounded.results] == [shown(result) for result in free.results]
    assert bounded.operator.balance == free.operator.balance


@examples
@given(st.data(), CUTS, RESTARTS)
def test_a_record_ahead_joins_what_it_would_join_had_it_come_at_its_time(
    data: st.DataObject, cuts: Any, restarts: Any
) -> None:
    how = data.draw(st.sampled_from(How))
    before, after, grace = data.draw(SPANS), data.draw(SPANS), data.draw(SPANS)
    join = StreamStreamJoin(before=before, after=after, grace=grace, how=how)
    records = data.draw(arrivals())
    later = [
        Arrival(r.source, r.key, r.value and b"later %b" % r.value, r.timestamp + 500) for r in data.draw(arrivals())
    ]
    ahead = Arrival(data.draw(st.integers(0, 1)), b"a", b"ahead", NOW + data.draw(st.integers(51, 200)))
    end = Arrival(L, b"end", b"", NOW + 10_000)

    def all_of(*given: Sequence[Arrival]) -> Bounded:
        bounded = Bounded(join)
        for part in given:
            for record in part:
                bounded.process([record])
            if data.draw(st.booleans(), "restart"):
                bounded.restart()
            bounded.wall.set(bounded.wall.now + 500 if part is records else NOW + 20_000, MAX_AHEAD)
        bounded.process([end])
        return bounded

    # The record that is ahead as it came, and where it would have been had it come at its time.
    moved = sorted([*later, ahead], key=lambda record: record.timestamp)
    early, in_time = all_of([ahead, *records], later), all_of(records, moved)
    if not any(one.reason is Reason.LATE for one in (*early.side_outputs, *in_time.side_outputs)):
        assert told(early) == told(in_time)


@examples
@given(st.data(), CUTS, RESTARTS)
def test_a_version_ahead_changes_nothing_for_records_of_its_key(data: st.DataObject, cuts: Any, restarts: Any) -> None:
    # No record asks for a time before the history: to that goes the current row, if it is old enough, and no past one.
    ttl, grace = data.draw(st.just(0) | st.integers(1, 200)), data.draw(st.none() | SPANS)
    # Rows that are expired stay: without one of them its record is unmatched, and not expired.
    join = StreamTableJoin(data.draw(TWO_WAYS), ttl, 1_000, grace, kept=FAR)
    records = data.draw(arrivals())
    value = data.draw(st.sampled_from([b"ahead", None]))
    ahead = Arrival(R, b"b", value, NOW + data.draw(st.sampled_from([51, FAR])))
    with_it, without = run(join, records, cuts, restarts, ahead), run(join, records, cuts, restarts)
    assert told(with_it) == told(without)


def stream() -> StreamStreamJoin:
    return StreamStreamJoin(before=10, after=10, grace=5, how=How.OUTER)


def times(results: Sequence[Any]) -> list[int]:
    return [result.timestamp for result in results]


def test_a_record_ahead_waits_for_its_time_over_restarts_and_comes_in_order() -> None:
    bounded = Bounded(stream())
    bounded.process(
        [Arrival(L, b"a", b"near", NOW), Arrival(L, b"b", b"far", NOW + 500), Arrival(R, b"b", b"n", NOW - 3)]
    )
    bounded.restart()
    bounded.wall.set(NOW + 600, MAX_AHEAD)
    assert times(bounded.send(R, b"c", b"", NOW + 499)) == [NOW - 3, NOW]
    bounded.restart()
    assert times(bounded.send(L, b"z", b"", NOW + 600)) == [NOW + 499, NOW + 500]
    assert bounded.operator.balance.pending == 1


def test_the_match_of_a_record_ahead_is_remembered_beyond_its_page() -> None:
    join = StreamStreamJoin(before=1_000, after=1_000, grace=0, how=How.OUTER)
    bounded = Bounded(join)
    bounded.send(L, b"k", b"far", NOW + 900)
    assert times(bounded.send(R, b"k", b"near", NOW)) == [NOW + 900]
    bounded.wall.set(NOW + 3_000, MAX_AHEAD)
    bounded.send(L, b"x", b"", NOW + 1_001)
    bounded.restart()
    assert times(bounded.send(L, b"x", b"", NOW + 2_500)) == [NOW + 1_001]


def test_a_record_ahead_does_not_keep_the_others_of_its_key_and_batch() -> None:
    bounded = Bounded(StreamStreamJoin(before=10, after=10, grace=0), now=10_000_000)
    for number in range(500):
        time = 1_000 + number
        bounded.process([Arrival(L, b"k", b"far", 1 << 50), Arrival(L, b"k", b"%d" % number, time)])
    operator: Any = bounded.operator
    assert len(operator._windows[b"k"].left) < 500 + 100
    pages = [row for key, row in bounded.store.scan(b"left/", None) if key.startswith(b"left/")]
    assert sum(b"499" in row or b"9" in row for row in pages) < 40  # those of the records that are over are gone
    assert len(pages) < 500 + 40


def test_where_all_records_are_ahead_the_clock_goes_with_the_wall_clock() -> None:
    bounded = Bounded(stream())
    results = []
    for number in range(0, 10_000, 100):
        bounded.wall.set(NOW + number, MAX_AHEAD)
        results += bounded.send(L, b"%d" % number, b"", NOW + number + 1_500)
    assert times(results) == [NOW + 1_500 + number for number in range(0, len(results) * 100, 100)]
    assert len(results) > 70
    assert bounded.operator.clock.now is not None
    assert bounded.operator.clock.now <= bounded.wall.now


def test_a_record_ahead_counts_only_once_it_is_behind_by_as_much() -> None:
    bounded = Bounded(stream())
    bounded.send(L, b"a", b"", 4_000)
    for now in (3_990, 4_000, 4_049):
        bounded.wall.set(now, MAX_AHEAD)
        bounded.send(L, b"b", b"", now - 1_000)
        assert bounded.operator.clock.now == now - 1_000
    bounded.wall.set(4_050, MAX_AHEAD)
    bounded.send(L, b"b", b"", 3_900)
    assert bounded.operator.clock.now == 4_000


def stored(join: Join[Any], records: Sequence[Arrival]) -> MemoryStore:
    """The state as a version without a bound left it."""
    free = Bounded(join)
    free.wall = Wall()
    free.restart()
    free.process(records)
    return free.store


def test_a_stored_clock_beyond_the_limit_makes_no_record_late_nor_tells_twice() -> None:
    old = [Arrival(L, b"old", b"", 1_990), Arrival(L, b"poison", b"", FAR), Arrival(R, b"last", b"", FAR - 5)]
    bounded = Bounded(stream(), stored(stream(), old))
    assert (bounded.operator.clock.now, bounded.wall.beyond) == (FAR, FAR)
    bounded.wall.strict = True
    bounded.restart()
    assert bounded.operator.clock.now is None
    for number in range(5):
        bounded.send(L, b"new", b"", 1_991 + 5 * number)
        bounded.restart()
    results = bounded.send(L, b"x", b"", 2_050)
    assert {result.key for result in [*bounded.results, *results]} == {b"new"}
    assert not bounded.side_outputs or {one.reason for one in bounded.side_outputs} == {Reason.UNMATCHED}
    assert bounded.send(R, b"poison", b"", FAR + 1)[0].left is not None


@pytest.mark.parametrize("history", [0, 100])
def test_later_updates_of_a_versioned_table_are_not_refused_for_one_ahead(history: int) -> None:
    bounded = Bounded(StreamTableJoin(history=history))
    bounded.process([Arrival(R, b"a", b"poison", FAR), Arrival(R, b"b", b"1", NOW), Arrival(R, b"a", b"2", NOW)])
    results = bounded.process([Arrival(L, b"b", b"", NOW), Arrival(L, b"a", b"", NOW)]).results
    assert [result.right.value for result in results] == [b"1", b"2"]
    assert not bounded.side_outputs


def test_a_versioned_table_with_a_clock_beyond_the_limit_takes_updates_again() -> None:
    join = StreamTableJoin(history=100)
    bounded = Bounded(join, stored(join, [Arrival(R, b"a", b"poison", FAR)]))
    bounded.wall.strict = True
    bounded.restart()
    bounded.send(R, b"b", b"1", NOW)
    assert len(bounded.send(L, b"b", b"", NOW)) == 1


def test_past_rows_of_a_key_are_forgotten_although_its_current_one_is_ahead() -> None:
    bounded = Bounded(StreamTableJoin(history=10), now=1_000_000)
    bounded.send(R, b"k", b"poison", 1 << 50)
    for time in range(1_000, 2_000):
        bounded.send(R, b"k", b"%d" % time, time)
    assert sum(1 for _ in bounded.store.scan(b"", None)) < 50
    found = bounded.process([Arrival(L, b"k", b"", time) for time in (1_990, 1_995, 1_999)]).results
    assert [result.right.value for result in found] == [b"1990", b"1995", b"1999"]


def test_with_a_grace_records_wait_as_long_and_one_ahead_comes_at_its_time() -> None:
    bounded = Bounded(StreamTableJoin(How.LEFT, history=100, grace=10))
    assert bounded.send(L, b"far", b"", NOW + 500) == []
    assert bounded.send(L, b"a", b"", NOW) == []
    assert times(bounded.send(L, b"b", b"", NOW + 10)) == [NOW]
    bounded.restart()
    bounded.wall.set(NOW + 600, MAX_AHEAD)
    assert times(bounded.send(L, b"c", b"", NOW + 510)) == [NOW + 10, NOW + 500]


def test_rows_expire_by_the_records_that_ask_and_go_when_kept_long_enough() -> None:
    bounded = Bounded(StreamTableJoin(How.LEFT, ttl=100, kept=300))
    bounded.process([Arrival(R, b"k", b"row", 1_500)])
    assert bounded.send(L, b"k", b"", FAR)[0].right is None
    assert bounded.send(L, b"k", b"", 1_600)[0].right is not None
    assert bounded.send(L, b"k", b"", 1_601)[0].right is None
    bounded.send(L, b"x", b"", 1_901)
    assert bounded.send(L, b"k", b"", 1_901)[0].right is None
    assert [told.reason for told in bounded.side_outputs if told.record.key == b"k"] == [
        Reason.EXPIRED,
        Reason.EXPIRED,
        Reason.UNMATCHED,
    ]


def test_rows_are_not_deleted_by_a_time_that_is_still_to_come() -> None:
    bounded = Bounded(StreamTableJoin(How.LEFT, ttl=10))
    bounded.process([Arrival(R, b"k", b"row", NOW - 5)])
    bounded.send(L, b"x", b"", NOW + MAX_AHEAD)
    assert bounded.send(L, b"k", b"", NOW)[0].right is not None


def test_windows_close_by_the_records_that_are_not_ahead() -> None:
    bounded = Bounded(windowed_reduce(10, 10, 0))
    bounded.process([Arrival(L, b"k", b"1", NOW), Arrival(R, b"far", b"2", FAR), Arrival(R, b"k", b"3", NOW + 1)])
    assert bounded.results == []
    (window,) = bounded.send(L, b"k", b"4", NOW + 10)
    assert sorted(window.value) == [b"1", b"3"]
