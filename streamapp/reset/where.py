"""Where a topic is read from, as users write it."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import time
from typing import Final

import click

from streamapp.produce.times import END_MS, iso_time
from streamapp.replay.values import duration

__all__ = ["Kind", "Where", "WhereType"]

#: Times (ms) before that are taken for a mistake: seconds, or an offset.
EARLIEST_MS: Final = 100_000_000_000


class Kind(enum.Enum):
    """What kind of a place it is."""

    BEGINNING = "beginning"
    NOW = "now"
    TIME = "time"
    OFFSET = "offset"


@dataclasses.dataclass(frozen=True)
class Where:
    """A place in a topic."""

    kind: Kind
    #: The event time (ms) or the offset.
    value: int = 0
    #: As the user wrote it.
    text: str = ""

    @classmethod
    def parse(cls, text: str) -> Where:
        """Read ``beginning``, ``now``, a duration ago, ms since 1970, or a time in ISO 8601 (UTC unless it says).

        Raises:
            ValueError: if it is none of these.
        """
        for kind in (Kind.BEGINNING, Kind.NOW):
            if text == kind.value:
                return cls(kind, text=text)
        if text.isdecimal():
            if int(text) < EARLIEST_MS:
                raise ValueError(f"{text} is no time in ms since 1970; --offset {text} names an offset")
            return cls._at(int(text), text)
        try:
            ago = duration(text)
        except ValueError:
            pass
        else:
            return cls._at(int(time.time() * 1000) - ago, text)
        try:
            moment = iso_time(text)
        except ValueError:
            raise ValueError(
                f"{text!r} is neither beginning nor now, nor a time: 2026-01-31T12:00:00Z, 1767225600000 (ms), 2h (ago)"
            ) from None
        return cls._at(moment, text)

    @classmethod
    def _at(cls, value: int, text: str) -> Where:
        if not 0 <= value < END_MS:
            raise ValueError(f"{text} is no time from 1970 to 2199; a number is ms since 1970")
        return cls(Kind.TIME, value, text)

    def __str__(self) -> str:
        if self.kind is Kind.TIME:
            at = datetime.datetime.fromtimestamp(self.value / 1000, datetime.UTC)
            return at.isoformat(timespec="seconds").replace("+00:00", "Z")
        return f"offset {self.value}" if self.kind is Kind.OFFSET else self.kind.value


class WhereType(click.ParamType):
    """A place in a topic on the command line."""

    name = "where"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Where:
        """Read it."""
        if isinstance(value, Where):
            return value
        try:
            return Where.parse(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)
