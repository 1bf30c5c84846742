"""Waits: which partitions have records at hand that may not go yet, and for which others they wait."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from faust.types import TP

from streamapp.runtime.alignment import Alignment

__all__ = ["Wait", "waits"]

#: Seconds after which a wait is one: each batch that is fetched waits for a moment.
SHORTEST_S: Final = 0.5


class Wait(msgspec.Struct, frozen=True):
    """A partition whose records wait."""

    topic: str
    partition: int
    records: int
    #: For how long (s).
    seconds: float
    #: The topics whose partition of the same number has to get records, or to be read to its end, before they may go.
    waits_for: list[str]


def waits(alignment: Alignment, now: float) -> Iterator[Wait]:
    """Go through the waits at a time (s), those that are the longest first."""
    found = [
        (lane.since, tp, len(lane.waiting) - lane.at)
        for tp, lane in alignment.lanes.items()
        if lane.waiting is not None and not lane.working and now - lane.since >= SHORTEST_S
    ]
    for since, tp, records in sorted(found):
        idle = [other for other in alignment.others([tp]) if _is_missing(alignment, other)]
        if idle:
            yield Wait(*tp, records, round(now - since, 1), sorted({other.topic for other in idle}))


def _is_missing(alignment: Alignment, tp: TP) -> bool:
    lane = alignment.lanes.get(tp)
    return lane is None or lane.waiting is None
