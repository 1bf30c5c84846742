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

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

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


class Kind(NamedTuple):
    """A kind of join, and the settings that it takes beside ``how``."""

    join: Callable[..., Join[Joined]]
    required: Sequence[str] = ()
    optional: Sequence[str] = ()


KINDS: Final[Mapping[object, Kind]] = {
    "stream-stream": Kind(StreamStreamJoin, required=("before", "after", "grace")),
    "stream-table": Kind(StreamTableJoin, optional=("ttl", "history", "grace", "lookup")),
    "as-of": Kind(AsOfJoin, required=("tolerance", "grace"), optional=("direction",)),
    "table-table": Kind(TableTableJoin, optional=("left_history", "right_history")),
    "foreign-key": Kind(ForeignKeyJoin, required=("foreign_key",)),
}


class Fields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which fields of a line hold its key, its event time and its value (None = the whole line is the value)."""

    key: str
    timestamp: str
    value: str | None = None
    #: Of numbers in the timestamp's field; None = known by their magnitude.
    unit: Unit | None = None


class Spec(NamedTuple):
    """A join, and how the lines of its sides are read."""

    join: Join[Joined]
    left: Fields
    right: Fields


def read_spec(text: bytes, name: str) -> Spec:
    """Read a join from TOML; a ReplayError if it is none; the text has ``name``."""
    try:
        given = msgspec.toml.decode(text, type=dict[str, object])
        left, right = given.pop("left", {}), given.pop("right", {})
        return Spec(_join(given), msgspec.convert(left, Fields), msgspec.convert(right, Fields))
    except (msgspec.DecodeError, ValueError) as exc:
        raise ReplayError(f"{name}: {exc}") from None


def _join(given: dict[str, object]) -> Join[Joined]:
    name = given.pop("kind", None)
    if (kind := KINDS.get(name)) is None:
        raise ValueError(f"kind must be one of {', '.join(map(str, KINDS))}, not {name!r}")
    if unknown := given.keys() - {"how", *kind.required, *kind.optional}:
        raise ValueError(f"a {name} join has no setting {', '.join(sorted(unknown))}")
    if missing := [setting for setting in kind.required if setting not in given]:
        raise ValueError(f"a {name} join needs {', '.join(missing)}")
    return kind.join(**{"key" if name == "lookup" else name: _setting(name, value) for name, value in given.items()})


def _setting(name: str, value: object) -> object:
    try:
        match name:
            case "how" | "direction":
                return msgspec.convert(value, How if name == "how" else Direction)
            case "lookup" | "foreign_key":
                return Field(msgspec.convert(value, str))
            case _:
                return duration(value)
    except ValueError as exc:
        raise ValueError(f"{name}: {exc}") from None
