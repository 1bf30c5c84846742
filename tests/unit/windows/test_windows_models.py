"""Tumbling, hopping and session windows against plain models, in any batches and with restarts anywhere."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from window_models import (
    GRACES,
    SESSIONS,
    Arrival,
    SessionModel,
    TimeModel,
    aggregated,
    arrivals,
    holding,
    run,
    time_windows,
    told,
)

from streamapp.joins import Driver, Event, MemoryStore, State, Wall
from streamapp.joins.rocksdb import RocksDBStore
from streamapp.windows import Emission, Sessions, TimeWindows, Windowed, WindowedAggregate

pytestmark = pytest.mark.usefixtures("written")

CUTS = st.sets(st.integers(1, 60), max_size=8)
EMISSIONS = st.sampled_from(Emission)


@settings(deadline=None)
@given(time_windows(), GRACES, EMISSIONS, arrivals(), CUTS)
def test_time_windows_do_what_the_model_does(
    windows: TimeWindows, grace: int, emission: Emission, records: list[Arrival], cuts: set[int]
) -> None:
    driver = run(aggregated(windows, grace, emission), records, cuts)
    assert told(driver) == TimeModel(windows, grace, emission).run(records)
    assert driver.operator.balance.holds
    assert driver.operator.balance.received == len(records)


@settings(deadline=None)
@given(SESSIONS, GRACES, EMISSIONS, arrivals(), CUTS)
def test_sessions_do_what_the_model_does(
    sessions: Sessions, grace: int, emission: Emission, records: list[Arrival], cuts: set[int]
) -> None:
    driver = run(aggregated(sessions, grace, emission), records, cuts)
    assert told(driver) == SessionModel(sessions, grace, emission).run(records)
    assert driver.operator.balance.holds
    assert driver.operator.balance.received == len(records)


@settings(max_examples=25, deadline=None)
@given(time_windows() | SESSIONS, GRACES, EMISSIONS, arrivals(), CUTS)
def test_rocksdb_gives_what_memory_gives(
    windows: TimeWindows | Sessions, grace: int, emission: Emission, records: list[Arrival], cuts: set[int]
) -> None:
    join = aggregated(windows, grace, emission)
    with TemporaryDirectory() as directory:
        store = RocksDBStore(Path(directory) / "state")
        try:
            assert told(run(join, records, cuts, store)) == told(run(join, records, cuts))
        finally:
            store.close()


@settings(deadline=None)
@given(time_windows() | SESSIONS, GRACES, arrivals(), st.data())
def test_final_results_do_not_depend_on_the_order_of_records_that_are_not_late(
    windows: TimeWindows | Sessions, grace: int, records: list[Arrival], data: st.DataObject
) -> None:
    # None is behind one before it by more than the grace.
    delays = data.draw(st.lists(st.integers(0, grace), min_size=len(records), max_size=len(records)))
    times = {record.offset: record.timestamp + delay for record, delay in zip(records, delays, strict=True)}
    results = []
    for order in (sorted(records, key=lambda one: times[one.offset]), sorted(records, key=lambda one: one.timestamp)):
        driver = run(aggregated(windows, grace), order, ())
        driver.finish()
        said = told(driver)
        assert not said.late
        assert not said.partly_late
        results.append(Counter((one.key, one.start, one.end, *sorted(members(one))) for one in said.results))
    assert results[0] == results[1]


@settings(deadline=None)
@given(time_windows(), arrivals())
def test_a_record_that_is_not_late_counts_once_in_each_of_its_windows(
    windows: TimeWindows, records: list[Arrival]
) -> None:
    driver = run(aggregated(windows, grace=150), records, ())
    driver.finish()
    counted = Counter((offset, one.start) for one in driver.results for offset in members(one))
    usable = [record for record in records if record.key is not None and record.value is not None]
    expected = [(one.offset, start) for one in usable for start, _ in holding(windows, one.timestamp)]
    assert counted == Counter(expected)
    assert driver.operator.balance.matched == len(usable)


@settings(deadline=None)
@given(time_windows() | SESSIONS, GRACES, arrivals(), CUTS)
def test_the_last_update_of_a_window_is_its_final_result(
    windows: TimeWindows | Sessions, grace: int, records: list[Arrival], cuts: set[int]
) -> None:
    driver = run(aggregated(windows, grace, "both"), records, cuts)
    driver.finish()
    updates = last([one for one in driver.results if not one.final])
    assert updates == last([one for one in driver.results if one.final])


@settings(deadline=None)
@given(time_windows() | SESSIONS, GRACES, st.integers(1, 60), arrivals(), CUTS, st.booleans())
def test_updates_at_most_every_so_often_end_with_what_each_window_came_to(
    windows: TimeWindows | Sessions, grace: int, every: int, records: list[Arrival], cuts: set[int], both: bool
) -> None:
    join = aggregated(windows, grace, "both" if both else "updates", every)
    results = finished(join, records, cuts)
    assert results == finished(join, records, ())
    assert last(results) == last(finished(aggregated(windows, grace), records, ()))


@settings(deadline=None)
@given(
    time_windows() | SESSIONS, GRACES, EMISSIONS, arrivals(), st.lists(st.integers(0, 200), min_size=60, max_size=60)
)
def test_event_time_that_goes_on_by_itself_is_as_good_as_a_record_of_another_key(
    windows: TimeWindows | Sessions, grace: int, emission: Emission, records: list[Arrival], times: list[int]
) -> None:
    silent, told_by_others = (Driver(aggregated(windows, grace, emission)) for _ in range(2))
    results = []
    for record, time in zip(records, times, strict=False):
        silent.process([(0, record)])
        results += [*silent.operator.advance(time).results]
        told_by_others.process([(0, record), (0, Event(b"other", b"0", time))])
    both = silent.results + results
    assert Counter(map(str, both)) == Counter(str(one) for one in told_by_others.results if one.key != b"other")


@settings(deadline=None)
@given(time_windows() | SESSIONS, GRACES, EMISSIONS, arrivals(), CUTS, st.sets(st.integers(0, 60), max_size=4))
def test_records_far_ahead_of_the_wall_clock_change_no_result_of_others(
    windows: TimeWindows | Sessions,
    grace: int,
    emission: Emission,
    records: list[Arrival],
    cuts: set[int],
    ahead: set[int],
) -> None:
    far = Event(b"a", b"99", 1_000_000, 99)
    mixed = [one for n, record in enumerate(records) for one in ([far, record] if n in ahead else [record])]
    results = [bounded(aggregated(windows, grace, emission), batch, cuts) for batch in (records, mixed)]
    assert results[0] == [one for one in results[1] if one.timestamp < far.timestamp]


def bounded(join: WindowedAggregate, records: list[Arrival], cuts: set[int]) -> list[Windowed]:
    """Return the results where no record may push the clock beyond a wall clock."""
    wall, store, results = Wall(), MemoryStore(), []
    wall.set(now=2_000, max_ahead=50)
    for begin, end in itertools.pairwise([0, *sorted(cut for cut in cuts if cut < len(records)), len(records)]):
        state = State(store, wall)
        results += join.start(state).process([(0, record) for record in records[begin:end]]).results
        state.commit()
    return results


def finished(join: WindowedAggregate, records: list[Arrival], cuts: set[int] | tuple[()]) -> list[Windowed]:
    driver = run(join, records, cuts)
    driver.finish()
    return driver.results


def last(results: list[Windowed]) -> dict[tuple[bytes, int, int], tuple[int, list[int]]]:
    """Return the last results of the windows that there are at the end."""
    found = {(one.key, one.start, one.end): one.values for one in results}
    return {window: values for window, values in found.items() if values is not None}


def members(one: Windowed) -> list[int]:
    assert one.values is not None
    _, offsets = one.values
    return list(offsets)
