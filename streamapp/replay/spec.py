"""A join described in a TOML file.

    kind = "stream-stream"      # or stream-table, as-of, table-table, foreign-key
    how = "left"                # or inner (the default), right, outer
    before = "10m"              # durations: 250 or "250ms", "10s", "10m", "1h", "7d"
    after = 0
    grace = "1m"

    [left]
    key = "user_id"             # fields of a line: its key, its event time
    timestamp = "at"

    [right]
    key = "user_id"
    timestamp = "meta.at"       # of an object in it
    unit = "us"                 # s, ms, us, ns or date (20231114); without it, known by the magnitude
    value = "payload"           # and its value; without it, that is the whole line

Other kinds take other settings: stream-table ``ttl``, ``history``, ``grace`` and ``lookup`` (the field of a left value
that is the key of the right row, where that is not the left key); as-of ``tolerance``, ``direction`` and ``grace``;
table-table ``left_history`` and ``right_history``; foreign-key ``foreign_key`` (the field of a left value).
"""

from __future__ import annotations

from typing import Any

import msgspec

from streamapp.joins import (
    AsOfJoin,
    Direction,
    ForeignKeyJoin,
    How,
    Join,
    Joined,
    StreamStreamJoin,
    StreamTableJoin,
    TableTableJoin,
)
from streamapp.produce.times import Unit
from streamapp.replay.errors import ReplayError
from streamapp.replay.values import Field, duration

__all__ = ["Fields", "Spec", "read_spec"]


class Duration(int):
    """A duration in ms."""


class Fields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which fields of a line hold its key, its event time and its value (None = the whole line is the value)."""

    key: str
    timestamp: str
    value: str | None = None
    #: Of numbers in the timestamp's field; None = known by their magnitude.
    unit: Unit | None = None


class _Sides(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    left: Fields
    right: Fields
    how: How = How.INNER


class StreamStream(_Sides, frozen=True, kw_only=True, tag="stream-stream"):
    """A stream-stream join."""

    before: Duration
    after: Duration
    grace: Duration

    def join(self) -> Join[Joined]:
        """Make the join."""
        return StreamStreamJoin(how=self.how, before=self.before, after=self.after, grace=self.grace)


class StreamTable(_Sides, frozen=True, kw_only=True, tag="stream-table"):
    """A stream-table join."""

    ttl: Duration = Duration(0)
    history: Duration | None = None
    grace: Duration | None = None
    lookup: str | None = None

    def join(self) -> Join[Joined]:
        """Make the join."""
        key = None if self.lookup is None else Field(self.lookup)
        return StreamTableJoin(self.how, self.ttl, self.history, self.grace, key)


class AsOf(_Sides, frozen=True, kw_only=True, tag="as-of"):
    """An as-of join."""

    tolerance: Duration
    grace: Duration
    direction: Direction = Direction.BACKWARD

    def join(self) -> Join[Joined]:
        """Make the join."""
        return AsOfJoin(how=self.how, tolerance=self.tolerance, grace=self.grace, direction=self.direction)


class TableTable(_Sides, frozen=True, kw_only=True, tag="table-table"):
    """A table-table join."""

    left_history: Duration | None = None
    right_history: Duration | None = None

    def join(self) -> Join[Joined]:
        """Make the join."""
        return TableTableJoin(how=self.how, left_history=self.left_history, right_history=self.right_history)


class ForeignKey(_Sides, frozen=True, kw_only=True, tag="foreign-key"):
    """A foreign-key join."""

    foreign_key: str

    def join(self) -> Join[Joined]:
        """Make the join."""
        return ForeignKeyJoin(how=self.how, foreign_key=Field(self.foreign_key))


Spec = StreamStream | StreamTable | AsOf | TableTable | ForeignKey


def read_spec(text: bytes, name: str) -> Spec:
    """Read a join from TOML.

    Raises:
        ReplayError: if it is none; the text has ``name``.
    """
    try:
        spec: Spec = msgspec.toml.decode(text, type=Spec, dec_hook=_duration)
        spec.join()
    except (msgspec.DecodeError, ValueError) as exc:
        raise ReplayError(f"{name}: {exc}") from None
    return spec


def _duration(_wanted: type, given: Any) -> Duration:
    if isinstance(given, int) and not isinstance(given, bool):
        return Duration(given)
    return Duration(duration(given))
