"""A distribution of times."""

from __future__ import annotations

import dataclasses
from typing import Self

__all__ = ["Percentiles"]


@dataclasses.dataclass(frozen=True)
class Percentiles:
    """A distribution of times (ms)."""

    number: int
    p50: float
    p90: float
    p99: float
    most: float

    def __str__(self) -> str:
        return (
            f"p50 {self.p50:.2f} ms, p90 {self.p90:.2f}, p99 {self.p99:.2f}, most {self.most:.2f}, of {self.number:,}"
        )

    @classmethod
    def of(cls, times: list[float]) -> Self:
        """Sum up times, of which there must be at least one; each percentile is one of them."""
        ordered = sorted(times)

        def at(share: float) -> float:
            return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)

        return cls(len(ordered), at(0.5), at(0.9), at(0.99), at(1.0))
