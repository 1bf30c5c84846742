"""What a grace costs a join: how much later what comes out, and for how long what is held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from streamapp.joins import AsOfJoin, Join, NWayJoin, Side, StreamStreamJoin, StreamTableJoin, WindowedReduce
from streamapp.windows.enrichment import Enrichment
from streamapp.windows.look_back import LookBack
from streamapp.windows.sessions import Sessions
from streamapp.windows.time_windows import TimeWindows
from streamapp.windows.windowed_aggregate import WindowedAggregate

__all__ = ["ROW_BYTES", "Held", "Wait", "grace_of", "held", "may_have_grace", "reach", "waits"]

#: What a row has besides its key and its value, about: times, offset, number, lengths.
ROW_BYTES: Final = 25


class Wait(NamedTuple):
    """What waits, and how long (ms of event time, from its own time on)."""

    what: str
    ms: int


class Held(NamedTuple):
    """For how long (ms of event time) the records of a source are held.

    `rows` is how many rows a record makes at most; 0 = records are held as they came, with their bytes.
    """

    source: int
    ms: int
    rows: int = 0


def grace_of(join: Join[Any] | None) -> int | None:
    """Return the grace (ms) of a join; None = it has none."""
    if isinstance(join, NWayJoin):
        return join.joins[0].grace
    found: int | None = getattr(join, "grace", None)
    return found


def may_have_grace(join: Join[Any] | None) -> bool:
    """Return whether a join may have a grace; of tables alone nothing is late, and nothing waits."""
    return join is None or isinstance(join, NWayJoin) or hasattr(join, "grace")


def waits(join: Join[Any] | None, grace: int) -> Sequence[Wait]:
    """Return what waits for a grace (ms), and how long in all."""
    match join:
        case StreamStreamJoin():
            return (Wait("unmatched left", join.after + grace), Wait("unmatched right", join.before + grace))
        case AsOfJoin():
            return (Wait("each result", join.after + grace),)
        case StreamTableJoin() | NWayJoin() | Enrichment():
            return (Wait("each result", grace),)
        case WindowedReduce():
            return (Wait("result, after the window's end", grace),)
        case WindowedAggregate(windows=Sessions(gap=gap)):
            return (Wait("final, after the last record", gap + grace),)
        case WindowedAggregate(windows=TimeWindows()):
            return (Wait("final, after the window's end", grace),)
        case _:
            return (Wait("what is final", grace),)


def held(join: Join[Any] | None, grace: int, sources: Sequence[int] = (0,)) -> Sequence[Held]:
    """Return what is held with a grace (ms); without a join, what a grace alone has held of some sources."""
    match join:
        case StreamStreamJoin():
            return (Held(Side.LEFT, join.after + grace), Held(Side.RIGHT, join.before + grace))
        case AsOfJoin():
            return (Held(Side.LEFT, join.after + grace), Held(Side.RIGHT, join.before + join.after + grace))
        case WindowedReduce():
            advance = join.advance or join.size
            return tuple(Held(side, join.size + grace, -(-join.size // advance)) for side in Side)
        case WindowedAggregate(windows=TimeWindows(size=size, advance=advance)):
            return (Held(0, size + grace, -(-size // advance)),)
        case WindowedAggregate(windows=Sessions(gap=gap)):
            return (Held(0, gap + grace, 1),)
        case WindowedAggregate(windows=LookBack(size=size)):
            return (Held(0, size + grace),)
        case Enrichment():
            return (Held(0, join.longest + grace),)
        case _:
            return tuple(Held(source, grace) for source in (sources if join is None else (0,)))


def reach(join: Join[Any]) -> int:
    """Return how much (ms of event time) before a record what it can meet may be: so much is read before a stretch."""
    grace = grace_of(join) or 0
    match join:
        case StreamStreamJoin():
            return max(join.before, join.after, 0) + grace
        case AsOfJoin():
            return join.tolerance + grace
        case WindowedReduce():
            return join.size + grace
        case WindowedAggregate(windows=TimeWindows(size=size) | LookBack(size=size)):
            return size + grace
        case WindowedAggregate(windows=Sessions(gap=gap)):
            return gap + grace
        case Enrichment():
            return join.longest + grace
        case _:
            return grace
