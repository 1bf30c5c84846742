"""Anomalies that are planted in generated readings, and what each does to them."""

from __future__ import annotations

import enum
import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["LASTS_MS", "NOISE", "SWING", "Case", "Device", "Planted"]

#: The standard deviation of the noise of a device that is well, and how much more its season goes up and down.
NOISE: Final = 0.2
SWING: Final = 4.0
#: Readings before the first case of a device, and the least between two.
WELL: Final = 200


class Planted(enum.StrEnum):
    """What is planted, in the word of the kind of anomalies that is to find it."""

    #: One reading far off.
    OUTLIER = "outlier"
    #: Much more noise.
    DEVIATION = "deviation"
    #: From one reading to the next to another level.
    JUMP = "jump"
    #: The same value all the time.
    STUCK = "stuck"
    #: Slowly away from what is usual at this time of the season.
    SEASON = "season"
    #: No readings.
    SILENT = "silent"


#: How long (ms) each lasts.
LASTS_MS: Final[Mapping[Planted, int]] = MappingProxyType(
    {
        Planted.OUTLIER: 0,
        Planted.DEVIATION: 2_000,
        Planted.JUMP: 5_000,
        Planted.STUCK: 10_000,
        Planted.SEASON: 20_000,
        Planted.SILENT: 3_000,
    }
)


class Case:
    """A case: of which kind, from when (ms) on, and which one of all it is."""

    __slots__ = ("kind", "label", "sign", "start", "value")

    def __init__(self, kind: Planted, number: int, start: int, sign: int, value: float) -> None:
        self.kind = kind
        self.label = f"{kind}-{number}"
        self.start = start
        self.sign = sign
        #: What the device showed last before it.
        self.value = value

    def over(self, time: int) -> bool:
        """Return whether it is over at a time (ms)."""
        return time > self.start + LASTS_MS[self.kind]

    def spoil(self, well: float, noise: float, time: int) -> float:
        """Return what the device shows in place of a value of one that is well, which has this noise in it."""
        match self.kind:
            case Planted.OUTLIER:
                return well + self.sign * 30 * NOISE
            case Planted.DEVIATION:
                return well + 14 * noise
            case Planted.JUMP:
                return well + self.sign * 25 * NOISE
            case Planted.STUCK:
                return self.value
            case Planted.SEASON:
                return well + self.sign * NOISE * (time - self.start) / 1_000
            case _:
                return well


class Device:
    """A device: what it shows when it is well, and when its next case comes."""

    __slots__ = ("case", "level", "name", "phase", "shown", "until")

    def __init__(self, number: int, rng: random.Random) -> None:
        self.name = f"d{number}"
        self.level = 20 + 60 * rng.random()
        self.phase = rng.random()
        self.case: Case | None = None
        #: What it showed last.
        self.shown = self.level
        #: Readings until its next case.
        self.until = 0

    def next_case(self, rng: random.Random, share: float, interval_ms: float) -> None:
        """Decide how many readings it is well for, so that a share of all readings is in cases in the long run."""
        if share <= 0:
            self.until = -1
            return
        mean = sum(LASTS_MS.values()) / len(LASTS_MS) / interval_ms
        self.until = WELL + int(rng.expovariate(1 / max(mean / share - WELL, 1.0)))
