"""An anomaly: what was found in a reading, or that there is none, with the numbers that led to it."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from streamapp.pipelines.sensors.kernel import (
    DEVIATION,
    EXPECTED,
    HEARD,
    INTERVAL,
    JUMP,
    MAD,
    MEAN,
    MEDIAN,
    OUTLIER,
    RATE2,
    RESIDUAL2,
    SEASON,
    SINCE,
    STUCK,
    TIME,
    VALUE,
    VAR,
)
from streamapp.pipelines.sensors.limits import MAD_SCALE, Limits

__all__ = ["Anomaly", "Reason", "found_in", "silence_of"]


class Reason(enum.StrEnum):
    """What is wrong."""

    #: Far from the moving mean.
    DEVIATION = "deviation"
    #: Far from the moving median.
    OUTLIER = "outlier"
    #: It changes faster than it does.
    JUMP = "jump"
    #: It has not changed for long.
    STUCK = "stuck"
    #: Far from what it is at this time of the season.
    SEASON = "season"
    #: Nothing has come for long.
    SILENT = "silent"


BITS: Final = {
    DEVIATION: Reason.DEVIATION,
    OUTLIER: Reason.OUTLIER,
    JUMP: Reason.JUMP,
    STUCK: Reason.STUCK,
    SEASON: Reason.SEASON,
}


class Anomaly(msgspec.Struct, frozen=True, gc=False):
    """What begins to be wrong with a device, at an event time (ms); told once for as long as it goes on."""

    key: bytes
    timestamp: int
    reasons: Sequence[Reason]
    #: What was read; None = it is that nothing was.
    value: float | None
    #: The numbers that led to it, by their names.
    evidence: Mapping[str, float]
    #: The place of the reading in its partition; -1 = there is none.
    offset: int = -1


def found_in(
    key: bytes, time: int, value: float, offset: int, bits: int, row: Sequence[float], limits: Limits
) -> Anomaly:
    """Return the anomaly of a reading, by what was known of its device before it (`kernel.judge`)."""
    reasons, least = [reason for bit, reason in BITS.items() if bits & bit], limits.resolution
    told: dict[str, float] = {}
    if bits & DEVIATION:
        told |= {"mean": row[MEAN], "deviation": math.sqrt(row[VAR])}
        told["deviations"] = (value - row[MEAN]) / max(told["deviation"], least)
    if bits & OUTLIER:
        told |= {"median": row[MEDIAN], "spread": MAD_SCALE * row[MAD]}
        told["spreads"] = (value - row[MEDIAN]) / max(told["spread"], least)
    if bits & JUMP:
        rate = (value - row[VALUE]) * 1000 / max(time - row[TIME], row[INTERVAL], 1.0)
        told |= {"before": row[VALUE], "per_s": rate, "usual_per_s": math.sqrt(row[RATE2])}
    if bits & STUCK:
        told |= {"same_since": row[SINCE], "same_ms": time - row[SINCE]}
    if bits & SEASON:
        residual, usual = value - row[EXPECTED], math.sqrt(row[RESIDUAL2])
        told |= {"expected": row[EXPECTED], "residual": residual, "usual_residual": usual}
    return Anomaly(key, time, reasons, value, told, offset)


def silence_of(key: bytes, row: Sequence[float], limits: Limits) -> Anomaly:
    """Return that a device is silent, by what is known of it."""
    began = int(row[HEARD])
    evidence = {"last_time": row[TIME], "last_value": row[VALUE], "silent_ms": float(limits.silence)}
    return Anomaly(key, began + limits.silence, [Reason.SILENT], None, evidence)
