"""Event times in JSON: the unit of a number is known or stated, and what is no time from 1970 to 2199 is refused."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamapp.produce.times import DATE, END_MS, Unit, event_time

PER_S = {Unit.SECONDS: 1, Unit.MILLISECONDS: 10**3, Unit.MICROSECONDS: 10**6, Unit.NANOSECONDS: 10**9}


def time(value: str, unit: Unit | None = None) -> int:
    return event_time(msgspec.Raw(value.encode()), "at", unit)


def refusal(value: str, unit: Unit | None = None) -> str:
    with pytest.raises(ValueError, match=r"^the timestamp, field at, must be a time from 1970 to 2199") as raised:
        time(value, unit)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        ("0", 0),
        ("-0", 0),
        ("0.5", 500),
        ("1700000000", 1_700_000_000_000),
        ("1700000000.1239", 1_700_000_000_123),
        ("1.7e9", 1_700_000_000_000),
        ("1700000000123", 1_700_000_000_123),
        ("1700000000123.9", 1_700_000_000_123),
        ("1700000000123456", 1_700_000_000_123),
        ("1700000000123999.0", 1_700_000_000_123),
        ("1700000000123456789", 1_700_000_000_123),
        ('"1970-01-01"', 0),
        ('"2023-11-14"', 1_699_920_000_000),
        ('"20231114"', 1_699_920_000_000),
        ('"2023-11-14 12:30:00"', 1_699_965_000_000),
        ('"2023-11-14T13:30:00.123456789+01:00"', 1_699_965_000_123),
        ('"2199-12-31T23:59:59.999Z"', END_MS - 1),
    ],
)
def test_the_unit_is_known_by_the_magnitude(value: str, milliseconds: int) -> None:
    assert time(value) == milliseconds


@given(st.integers(200_000_000, END_MS // 1000 - 1), st.sampled_from(list(PER_S)))
def test_a_time_from_1976_to_2199_is_the_same_in_each_unit_unless_like_a_date(second: int, unit: Unit) -> None:
    value = str(second * PER_S[unit])
    assert time(value, unit) == second * 1000
    assume(not DATE.fullmatch(value))
    assert time(value) == second * 1000


@pytest.mark.parametrize(
    "value",
    ["20231114", "2023111412", "202311141230", "20231114123000", "20231114123000999", "20231114.0", "2.0231114e7"],
)
def test_what_may_be_a_date_is_refused_with_its_value(value: str) -> None:
    assert f"{value} may be a date or a number of seconds or milliseconds: state its unit" in refusal(value)


@pytest.mark.parametrize(
    ("value", "time_utc"),
    [
        ("20231114", dt.datetime(2023, 11, 14, tzinfo=dt.UTC)),
        ("2023111412", dt.datetime(2023, 11, 14, 12, tzinfo=dt.UTC)),
        ('"202311141230"', dt.datetime(2023, 11, 14, 12, 30, tzinfo=dt.UTC)),
        ("20231114123059", dt.datetime(2023, 11, 14, 12, 30, 59, tzinfo=dt.UTC)),
        ("20231114123059007", dt.datetime(2023, 11, 14, 12, 30, 59, 7_000, tzinfo=dt.UTC)),
    ],
)
def test_it_is_read_as_one_if_that_is_stated(value: str, time_utc: dt.datetime) -> None:
    assert time(value, Unit.DATE) == time_utc.timestamp() * 1000


@pytest.mark.parametrize(
    ("value", "unit", "milliseconds"),
    [
        ("1700000000", Unit.MILLISECONDS, 1_700_000_000),
        ("20231114", Unit.SECONDS, 20_231_114_000),
        ("2.5", Unit.NANOSECONDS, 0),
        ('"1700000000.5"', Unit.SECONDS, 1_700_000_000_500),
        ('"2023-11-14"', Unit.MICROSECONDS, 1_699_920_000_000),
    ],
)
def test_a_unit_that_is_stated_counts(value: str, unit: Unit, milliseconds: int) -> None:
    assert time(value, unit) == milliseconds


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        ("-1", None),
        ("-1700000000", None),
        ("7258118400000", Unit.MILLISECONDS),
        ("1700000000000", Unit.SECONDS),
        ("1e25", Unit.NANOSECONDS),
        ('"1969-12-31T23:59:59.9999Z"', None),
        ('"1970-01-01T00:00:00+14:00"', None),
        ('"2200-01-01"', None),
        ('"0001-01-01"', None),
        ('"9999-12-31T23:59:59-14:00"', None),
    ],
)
def test_a_time_before_1970_or_after_2199_is_refused_with_its_value(value: str, unit: Unit | None) -> None:
    assert f"{value} is not from 1970 to 2199" in refusal(value, unit)


@pytest.mark.parametrize("value", ["7258118400", "99999999999", "7258118400000", "50000000000000"])
def test_a_number_between_two_units_is_refused(value: str) -> None:
    assert f"{value} lies between two units" in refusal(value)


@pytest.mark.parametrize(
    "value",
    ["null", "true", "false", "[]", "{}", '"soon"', '""', "1e400", "-1e999999", '"2023-13-01"', '"23:59"', '"NaN"'],
)
def test_what_is_no_time_is_refused_with_its_value(value: str) -> None:
    assert f"{value} is none" in refusal(value)


def test_digits_as_text_need_a_unit() -> None:
    assert "is a number as text: state its unit" in refusal('"1700000000"')


@pytest.mark.parametrize("value", ["20230230", "20231314", "2023", '"soon"', '"2023-11-14"', "1700000000000"])
def test_what_is_no_date_is_refused_if_it_was_to_be_one(value: str) -> None:
    assert value in refusal(value, Unit.DATE)


def test_a_long_value_is_shortened() -> None:
    assert len(refusal('"' + "x" * 10_000 + '"')) < 300
