"""Windows of one stream described in a TOML file.

    kind = "tumbling"           # or hopping, session, look-back
    size = "1m"                 # durations: 250 or "250ms", "10s", "10m", "1h", "7d"
    grace = "10s"
    emission = "final"          # or updates, both
    key = "ip"                  # fields of a line: its key, its event time
    timestamp = "at"

    [aggregates]                # by their names in the results: what, and of which field of the value
    n = "count"
    total = "sum amount"

Hopping windows take ``advance`` too, sessions ``gap`` instead of ``size``, tumbling and hopping ones ``offset`` and
``zone``, and all of them ``every``, ``unit`` (of the times: s, ms, us, ns or date) and ``value`` (the field that is the
value; without it, that is the whole line).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from streamapp.replay.errors import ReplayError
from streamapp.replay.spec import Fields
from streamapp.windows import Emission, WindowedAggregate, Windows, hopping, session, tumbling
from streamapp.windows.aggregate import Aggregate
from streamapp.windows.count import Count
from streamapp.windows.durations import milliseconds
from streamapp.windows.extremes import Max, Min
from streamapp.windows.frequencies import Distinct
from streamapp.windows.look_back import look_back
from streamapp.windows.numbers import Mean, Sum
from streamapp.windows.order import Collect, First, Last

__all__ = ["OF_FIELDS", "WindowSpec", "read_window_spec"]

#: Aggregates of a field.
OF_FIELDS: Final[Mapping[str, Callable[[str], Aggregate[Any]]]] = {
    "count": Count,
    "sum": Sum,
    "mean": Mean,
    "min": Min,
    "max": Max,
    "first": First,
    "last": Last,
    "distinct": Distinct,
    "collect": Collect,
}


class WindowKind(NamedTuple):
    """A kind of windows, and the settings that it takes."""

    windows: Callable[..., Windows]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


KINDS: Final[Mapping[object, WindowKind]] = {
    "tumbling": WindowKind(tumbling, ("size",), ("offset", "zone")),
    "hopping": WindowKind(hopping, ("size", "advance"), ("offset", "zone")),
    "session": WindowKind(session, ("gap",)),
    "look-back": WindowKind(look_back, ("size",)),
}


class WindowSpec(NamedTuple):
    """Windows, and how the lines of the stream are read."""

    join: WindowedAggregate
    fields: Fields


class _Rest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all windows take, and the fields of a line."""

    aggregates: dict[str, str]
    key: str
    timestamp: str
    value: str | None = None
    unit: Any = None
    grace: Any = 0
    emission: Emission = Emission.FINAL
    every: Any = None


def read_window_spec(text: bytes, name: str) -> WindowSpec:
    """Read windows from TOML.

    Raises:
        ReplayError: if it is none; the text has ``name``.
    """
    try:
        given = msgspec.toml.decode(text, type=dict[str, object])
        kind = KINDS.get(named := given.pop("kind", None))
        if kind is None:
            raise ValueError(f"kind must be one of {', '.join(map(str, KINDS))}, not {named!r}")  # noqa: TRY301
        if missing := [setting for setting in kind.required if setting not in given]:
            raise ValueError(f"{named} windows need {', '.join(missing)}")  # noqa: TRY301
        settings = {setting: given.pop(setting) for setting in kind.required + kind.optional if setting in given}
        rest = msgspec.convert(given, _Rest)
        join = WindowedAggregate(
            windows=kind.windows(**settings),
            aggregates={label: _aggregate(label, told) for label, told in rest.aggregates.items()},
            grace=milliseconds(rest.grace),
            emission=rest.emission,
            every=None if rest.every is None else milliseconds(rest.every),
        )
        fields = {"key": rest.key, "timestamp": rest.timestamp, "value": rest.value, "unit": rest.unit}
        return WindowSpec(join, msgspec.convert(fields, Fields))
    except (msgspec.DecodeError, ValueError) as exc:
        raise ReplayError(f"{name}: {exc}") from None


def _aggregate(label: str, told: str) -> Aggregate[Any]:
    """Return the aggregate of a text such as ``sum amount``."""
    name, _, field = told.partition(" ")
    if name == "count" and not field:
        return Count()
    if name not in OF_FIELDS or not field:
        names = ", ".join(OF_FIELDS)
        raise ValueError(f"{label} = {told!r}: write count, or what and of which field, as sum amount: {names}")
    return OF_FIELDS[name](field)
