"""Tumbling and hopping windows: where they begin and end, and what a user is told who describes none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.windows import TimeWindows, hopping, tumbling
from streamapp.windows.assignment import Assignment, Pane
from streamapp.windows.zones import zone_of

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def pane(windows: TimeWindows, timestamp: int) -> Pane:
    zone = None if windows.zone is None else zone_of(windows.zone)
    return Assignment(windows.size, windows.advance, windows.offset, zone).pane(timestamp)


def at(zone: str, *when: int) -> int:
    """Return the event time at which clocks of a zone show a time."""
    return int(datetime(*when, tzinfo=ZoneInfo(zone)).timestamp() * 1000)  # type: ignore[arg-type, misc]


def hours(window: tuple[int, int]) -> float:
    return (window[1] - window[0]) / HOUR_MS


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        (tumbling("1m"), TimeWindows(60_000, 60_000)),
        (tumbling(timedelta(seconds=1)), TimeWindows(1_000, 1_000)),
        (hopping("10m", "1m"), TimeWindows(600_000, 60_000)),
        (hopping(100, 30, offset=5), TimeWindows(100, 30, 5)),
        (tumbling("1d", offset="6h", zone="Europe/Berlin"), TimeWindows(DAY_MS, DAY_MS, 6 * HOUR_MS, "Europe/Berlin")),
    ],
)
def test_windows_are_described_by_text_durations_or_milliseconds(windows: TimeWindows, expected: TimeWindows) -> None:
    assert windows == expected


def test_a_window_has_its_start_and_not_its_end() -> None:
    windows = tumbling(10)
    assert [pane(windows, time).windows for time in (19, 20, 29, 30)] == [
        [(10, 20)],
        [(20, 30)],
        [(20, 30)],
        [(30, 40)],
    ]


def test_hopping_windows_overlap() -> None:
    assert pane(hopping(30, 10), 45).windows == [(20, 50), (30, 60), (40, 70)]
    assert pane(hopping(50, 20), 45).windows == [(0, 50), (20, 70), (40, 90)]


def test_an_offset_moves_all_windows() -> None:
    assert pane(tumbling(10, offset=3), 22).windows == [(13, 23)]
    assert pane(hopping(20, 10, offset=3), 22).windows == [(3, 23), (13, 33)]


def test_no_window_begins_before_the_epoch_unless_a_time_is_in_no_other() -> None:
    assert pane(hopping(30, 10), 5).windows == [(0, 30)]
    assert pane(tumbling(10, offset=3), 2).windows == [(-7, 3)]


@pytest.mark.parametrize(
    ("day", "length"), [((2024, 3, 31), 23), ((2024, 4, 1), 24), ((2024, 10, 27), 25), ((2024, 10, 28), 24)]
)
def test_a_day_is_as_long_as_the_clocks_have_it(day: tuple[int, int, int], length: int) -> None:
    noon = at("Europe/Berlin", *day, 12)
    (window,) = pane(tumbling("1d", zone="Europe/Berlin"), noon).windows
    assert window[0] == at("Europe/Berlin", *day)
    assert hours(window) == length


def test_a_day_without_a_midnight_begins_when_the_clocks_go_on() -> None:
    (window,) = pane(tumbling("1d", zone="America/Sao_Paulo"), at("America/Sao_Paulo", 2018, 11, 4, 12)).windows
    assert window[0] == at("America/Sao_Paulo", 2018, 11, 4, 1)
    assert hours(window) == 23


def test_a_day_that_ends_with_its_last_hour_twice_is_one_day() -> None:
    windows = tumbling("1d", zone="America/Sao_Paulo")
    (window,) = pane(windows, at("America/Sao_Paulo", 2018, 2, 17, 12)).windows
    assert hours(window) == 25
    assert pane(windows, window[1] - 1).windows == [window]


def test_a_day_of_business_begins_at_its_hour_on_the_wall_the_year_round() -> None:
    windows = tumbling("1d", offset="6h", zone="Europe/Berlin")
    for day in ((2024, 1, 10), (2024, 7, 10)):
        (window,) = pane(windows, at("Europe/Berlin", *day, 12)).windows
        assert window[0] == at("Europe/Berlin", *day, 6)


def test_weeks_of_a_zone_hop_by_days() -> None:
    windows = pane(hopping("7d", "1d", zone="Europe/Berlin"), at("Europe/Berlin", 2024, 4, 2, 12)).windows
    assert [hours(window) for window in windows] == [7 * 24 - 1] * 5 + [7 * 24] * 2
    assert windows[-1][0] == at("Europe/Berlin", 2024, 4, 2)


def test_a_time_beyond_all_calendars_has_a_window_too() -> None:
    for time in (1 << 61, -(1 << 61)):
        found = pane(tumbling("1d", zone="Europe/Berlin"), time)
        assert found.low <= time < found.high


ZONES = st.sampled_from(["Europe/Berlin", "America/Sao_Paulo", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia"])
TIMES = st.datetimes(datetime(1975, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@settings(deadline=None)
@given(ZONES, st.integers(1, 3), st.integers(1, 3), st.sampled_from([0, HOUR_MS // 2, 23 * HOUR_MS]), TIMES)
def test_windows_of_a_zone_hold_their_times_and_panes_are_whole(
    zone: str, days: int, step: int, offset: int, when: datetime
) -> None:
    windows = TimeWindows(days * DAY_MS, min(days, step) * DAY_MS, offset, zone)
    time = int(when.timestamp() * 1000)
    low, high, found = pane(windows, time)
    assert low <= time < high
    assert found == sorted(found)
    assert all(start <= time < end for start, end in found)
    assert pane(windows, low).windows == pane(windows, high - 1).windows == found
    assert pane(windows, high).windows != found
    assert pane(windows, low - 1).windows != found


@settings(deadline=None)
@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 49), st.integers(200, 500))
def test_a_pane_is_as_far_as_the_windows_are_the_same(size: int, advance: int, offset: int, time: int) -> None:
    windows = TimeWindows(size, min(advance, size), offset % min(advance, size))
    low, high, found = pane(windows, time)
    assert low <= time < high
    assert all(pane(windows, other).windows == found for other in range(low, high))
    assert pane(windows, high).windows != found


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: tumbling(0), "must be more than 0, but is 0 ms"),
        (lambda: hopping("1m", "2m"), "windows of 1m cannot advance by 2m"),
        (lambda: hopping("1m", 0), "cannot advance by 0"),
        (lambda: tumbling("1m", offset="1m"), "an offset of 60000 ms"),
        (lambda: tumbling("1 minute"), "'1 minute' is no duration: write 250 (ms), or 250ms, 10s"),
        (lambda: tumbling("1h", zone="Europe/Berlin"), "windows of whole days"),
        (lambda: tumbling("1d", zone="Europe/Berlinn"), "there is no time zone 'Europe/Berlinn'"),
        (lambda: tumbling("1d", zone="Europe"), "there is no time zone 'Europe'"),
    ],
)
def test_windows_that_cannot_be_are_told_in_one_line(make: object, words: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as error:
        make()  # type: ignore[operator]
    assert words in str(error.value)
    assert "\n" not in str(error.value)
