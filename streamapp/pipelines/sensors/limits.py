"""The limits that make a reading an anomaly, and how fast a detector learns what is usual."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from streamapp.pipelines.sensors.arrays import Floats

__all__ = ["Limits"]

#: How many deviations a reading can count for at most in what is learned from it.
CLIP: Final = 4.0
#: The same of the distances from the season: less, since a slow drift must not get usual while it goes on.
SEASON_CLIP: Final = 2.5
#: The median absolute deviation of normally distributed values, times this, is their standard deviation.
MAD_SCALE: Final = 1.4826
#: A part of the season is judged by once it was passed so often.
PASSES: Final = 2.0
#: How much the latest pass of a season counts, at least.
SEASON_GAIN: Final = 0.3
#: They are remembered so many times as long as the values.
RESIDUAL_MEMORY: Final = 100.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits, of which 0 switches a kind of anomalies off.

    Args:
        deviation: distance from the moving mean, in moving standard deviations.
        outlier: distance from the moving median, in standard deviations as its median distance tells them.
        jump: how fast the value changes, in root mean squares of that.
        stuck: how long (ms) a value may stay the same.
        season: distance from what the season lets expect, in root mean squares of that.
        silence: how long (ms) a device may send nothing.
        memory: how many readings averages go back; so many are learned from before one is judged.
        resolution: differences of values that are not more than this are none.
        period: length (ms) of the season; 0 = there is none.
        bins: parts that it is learned in.

    Raises:
        ValueError: for limits that cannot be.
    """

    deviation: float = 8.0
    outlier: float = 8.0
    jump: float = 8.0
    stuck: int = 5_000
    season: float = 6.0
    silence: int = 1_000
    memory: int = 100
    resolution: float = 1e-6
    period: int = 60_000
    bins: int = 30

    def __post_init__(self) -> None:
        limits = self.deviation, self.outlier, self.jump, self.stuck, self.season, self.silence, self.period
        if not all(limit >= 0 for limit in limits):
            raise ValueError(f"limits must be 0 or more, but are {', '.join(map(str, limits))}")
        if self.memory < 2 or self.bins < 2 or not self.resolution > 0:
            raise ValueError("memory and bins must be 2 at least, and the resolution more than 0")

    @property
    def packed(self) -> Floats:
        """They as an array, in the order in which the kernels take them."""
        gain = 2.0 / (self.memory + 1)
        return np.array(
            [
                self.deviation,
                self.outlier,
                self.jump,
                float(self.stuck),
                self.season,
                float(self.silence),
                gain,
                float(self.memory),
                self.resolution,
                float(self.period),
                CLIP,
                SEASON_CLIP,
                PASSES,
                SEASON_GAIN,
                gain / RESIDUAL_MEMORY,
            ]
        )
