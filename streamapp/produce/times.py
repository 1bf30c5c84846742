"""Event times as users write them in JSON: numbers of some unit since 1970, dates, and ISO-8601 text.

A number's unit is known by its magnitude, for the years that there is data of: what is 2023 in one unit is before 1971
or after 2200 in the next. What could be two things is refused, and so is what is out of bounds, since a record from the
wrong millennium sets the clock of all that come after it.
"""

from __future__ import annotations

import datetime as dt
import enum
import re
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

__all__ = ["END_MS", "Unit", "event_time", "iso_time", "shown"]

#: The end of the times that are taken: 2200-01-01T00:00:00Z.
END_MS: Final = 7_258_118_400_000
#: The least number that is taken for milliseconds unless the unit is stated, the year 1973; and so for the finer ones.
LEAST_MS: Final = 100_000_000_000
#: A number from here on, the year 2001, is milliseconds or more, and no date either.
CERTAIN_MS: Final = 1_000_000_000_000
#: A date and time as digits, UTC: 20231114, 2023111412, 202311141230, 20231114123000 or 20231114123000999.
DATE: Final = re.compile(
    r"(19[7-9]\d|2[01]\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?:([01]\d|2[0-3])(?:([0-5]\d)(?:([0-5]\d)(\d{3})?)?)?)?"
)
#: What is larger than all of them.
DATES_END: Final = 10**17
DIGITS: Final = re.compile(r"-?\d+(\.\d+)?")
#: Characters of a value that an error shows.
SHOWN: Final = 60


class Unit(enum.StrEnum):
    """What a number is in: seconds, milli-, micro- or nanoseconds since 1970, or the digits of a date (UTC)."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    MICROSECONDS = "us"
    NANOSECONDS = "ns"
    DATE = "date"


#: How many of a unit are a millisecond.
PER_MS: Final = {
    Unit.SECONDS: Decimal("1e-3"),
    Unit.MILLISECONDS: Decimal(1),
    Unit.MICROSECONDS: Decimal(1000),
    Unit.NANOSECONDS: Decimal(1_000_000),
}

_decode: Final = msgspec.json.Decoder(int | float | str).decode


class _No(ValueError):
    """What is wrong with a value."""


def event_time(value: msgspec.Raw, name: str, unit: Unit | None = None) -> int:
    """Return the event time (ms since 1970) that the JSON of a field holds; what is finer is cut off.

    Numbers are in `unit`, or in what their magnitude tells.

    Raises:
        ValueError: if it holds none from 1970 to 2199; the text has the field's name and the value.
    """
    try:
        given = _decode(value)
        if unit is None and type(given) is int and CERTAIN_MS <= given < END_MS:
            return given
        time = _text(given, unit) if isinstance(given, str) else _number(bytes(value).decode(), unit)
        if 0 <= time < END_MS:
            return int(time)
        why = "is not from 1970 to 2199" + (f" ({unit})" if unit else "")
    except _No as exc:
        why = str(exc)
    except (ValueError, InvalidOperation, msgspec.DecodeError):  # a `DecodeError`: another type, or a huge number
        why = "is none"
    raise ValueError(
        f"the timestamp, field {name}, must be a time from 1970 to 2199, in s, ms, us or ns since 1970 or as ISO-8601 "
        f"text: {shown(value)} {why}"
    )


def shown(value: bytes | msgspec.Raw) -> str:
    """Return a JSON value for people, shortened."""
    text = bytes(value).decode(errors="backslashreplace")
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _number(text: str, unit: Unit | None) -> Decimal:
    if unit is Unit.DATE:
        return _date(text)
    number = Decimal(text)
    if unit is None:
        if 0 <= number < DATES_END and number == int(number) and DATE.fullmatch(str(int(number))):
            raise _No("may be a date or a number of seconds or milliseconds: state its unit (date, s, ms, us or ns)")
        unit = _unit(number)
    # Before it is divided: an exponent may be huge.
    return number / PER_MS[unit] if abs(number) < Decimal(10) ** 30 else number


def _unit(number: Decimal) -> Unit:
    """Know a number by its magnitude."""
    for unit, per_ms in PER_MS.items():
        if unit is not Unit.SECONDS and number < LEAST_MS * per_ms:
            raise _No("lies between two units: state which it is (s, ms, us or ns)")
        if number < END_MS * per_ms:
            return unit
    raise _No("is not from 1970 to 2199 in any unit")


def _text(text: str, unit: Unit | None) -> Decimal:
    if unit is Unit.DATE:
        return _date(text)
    if DIGITS.fullmatch(text):
        if unit is not None:
            return _number(text, unit)
        if len(text) != 8 or not DATE.fullmatch(text):
            raise _No("is a number as text: state its unit (s, ms, us, ns or date)")
    return Decimal(iso_time(text))


def _date(text: str) -> Decimal:
    found = DATE.fullmatch(text)
    if found is None:
        raise _No("is no date such as 20231114, 202311141230 or 20231114123000")
    year, month, day, hour, minute, second, ms = (int(part or 0) for part in found.groups())
    return Decimal(_milliseconds(dt.datetime(year, month, day, hour, minute, second, ms * 1000, dt.UTC)))


def iso_time(text: str) -> int:
    """Read a time in ISO 8601, which is UTC unless it says otherwise, as ms since 1970; a ValueError if it is none."""
    time = dt.datetime.fromisoformat(text)
    return _milliseconds(time if time.tzinfo else time.replace(tzinfo=dt.UTC))


def _milliseconds(time: dt.datetime) -> int:
    return (time - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
