"""A state that was written under one declaration of windows, and is gone on with under another."""

from __future__ import annotations

from typing import Any

import pytest
from window_models import Arrival, aggregated, told

from streamapp.joins import Driver, Event, MemoryStore
from streamapp.joins.declared import StateMismatch
from streamapp.windows import Count, Emission, First, Windowed, WindowedAggregate, Windows, hopping, session, tumbling

pytestmark = pytest.mark.usefixtures("written")


def records(*times: int) -> list[tuple[int, Arrival]]:
    return [(0, Event(b"k", b"%d" % time, time, time)) for time in times]


def go_on(was: WindowedAggregate, now: WindowedAggregate, before: list[Any], after: list[Any]) -> Driver[Windowed]:
    """Send records to windows, and then others to those that take their state over."""
    store = MemoryStore()
    Driver(was, store).process(before)
    driver = Driver(now, store)
    driver.process(after)
    driver.restart()
    driver.finish()
    return driver


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (aggregated(tumbling(20), 5), "its windows are others: size 10ms → 20ms, advance 10ms → 20ms"),
        (aggregated(hopping(10, 5), 5), "its windows are others: advance 10ms → 5ms"),
        (aggregated(tumbling(10, offset=1), 5), "its windows are others: offset 0 → 1ms"),
        (aggregated(session(10), 5), "it is that of aggregates in time windows"),
    ],
)
def test_the_state_of_other_windows_is_refused(now: WindowedAggregate, words: str) -> None:
    with pytest.raises(StateMismatch) as error:
        go_on(aggregated(tumbling(10), 5), now, records(1), records(2))
    assert words in str(error.value)


def test_a_day_of_another_zone_is_another_window() -> None:
    berlin, utc = (aggregated(tumbling("1d", zone=zone), 5) for zone in ("Europe/Berlin", None))
    with pytest.raises(StateMismatch, match="zone Europe/Berlin → none"):
        go_on(berlin, utc, records(1), records(2))


def test_a_longer_grace_does_not_open_windows_again_that_have_given_their_results() -> None:
    driver = go_on(aggregated(tumbling(10), 0), aggregated(tumbling(10), 100), records(5, 12), records(6, 13))
    assert [one.start for one in driver.results] == [10]
    assert told(driver).late == [6]


def test_a_longer_grace_does_not_open_sessions_again_that_have_given_their_results() -> None:
    driver = go_on(aggregated(session(10), 0), aggregated(session(10), 100), records(5, 20), records(6, 12))
    assert [(one.start, one.end) for one in driver.results] == [(12, 20)]
    assert told(driver).late == [6]


def test_a_shorter_grace_closes_what_is_over_by_it() -> None:
    for windows in (tumbling(10), session(3)):
        store = MemoryStore()
        Driver(aggregated(windows, 100), store).process(records(5, 22))
        driver = Driver(aggregated(windows, 0), store)
        assert [one.timestamp for one in driver.process(records(22)).results] == [5]


@pytest.mark.parametrize("windows", [tumbling(10), hopping(20, 10), session(10)])
@pytest.mark.parametrize(("was", "now"), [("final", "updates"), ("updates", "final"), ("updates", "both")])
def test_when_results_are_given_may_be_changed(windows: Windows, was: str, now: str) -> None:
    changed = go_on(aggregated(windows, 5, was), aggregated(windows, 5, now), records(1, 9), records(8, 30))
    same = go_on(aggregated(windows, 5, now), aggregated(windows, 5, now), records(1, 9), records(8, 30))
    assert [one for one in changed.results if one.values] == [one for one in same.results if one.values]


@pytest.mark.parametrize("windows", [tumbling(10), session(10)])
def test_a_new_aggregate_begins_in_the_windows_that_are_open_and_the_order_is_free(windows: Windows) -> None:
    was = windowed(windows, n=Count(), first=First("at"))
    now = windowed(windows, since=First("at"), first=First("at"), n=Count())
    driver = go_on(was, now, records(1, 2), records(3))
    assert [one.values for one in driver.results] == [(3, 1, 3)]
    assert now.take_over(was) == ["new are since: in windows that are open by now they lack the records so far"]


def windowed(windows: Windows, **aggregates: Any) -> WindowedAggregate:
    return WindowedAggregate(
        windows=windows, aggregates=aggregates, fields=lambda record: [record.timestamp] * len(aggregates)
    )


def test_a_declaration_says_windows_grace_emission_and_aggregates() -> None:
    join = aggregated(tumbling("1m"), 5_000, "both", every=1_000)
    assert str(join.declared()) == (
        "aggregates in time windows (size 1m, advance 1m, offset 0, grace 5s, emission both, every 1s, "
        'aggregate n Count(), aggregate offsets Collect("offset"))'
    )
    assert join.written_by(join.declared()) == join
    assert Emission.BOTH.value in str(join.declared())
