"""Aggregates of amounts of money, as whole numbers of small parts: exact whatever comes and goes, and fast."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar, Final, TypeAlias

from streamapp.windows.aggregate import Form, Number, OfField, Place, Value

__all__ = ["Amounts", "Usual", "without"]

#: Amounts are counted in these parts of one.
PARTS: Final = 10_000
#: How many amounts there are at least, before one can be unusual.
FEWEST: Final = 3
#: A standard deviation is taken for so much of the mean at least, for an account that always pays the same.
LEAST_SPREAD: Final = 0.01

#: How many amounts there are, their sum, and that of their squares, in `PARTS`.
Sums: TypeAlias = tuple[int, int, int]


@dataclasses.dataclass(frozen=True, repr=False)
class Usual(OfField):
    """The sums of amounts and of their squares, from which one can be taken back (`without`): what is usual without it.

    Args:
        field: that has the amounts; null counts for nothing.
    """

    takes: ClassVar[Form] = Number
    state_type: ClassVar[Form] = Sums

    def initial(self) -> Sums:
        """Return the sums of no amounts."""
        return 0, 0, 0

    def add(self, state: Sums, value: Value, place: Place) -> Sums:
        """Return the sums with an amount more."""
        if value is None:
            return state
        parts = round(value * PARTS)
        return state[0] + 1, state[1] + parts, state[2] + parts * parts

    def add_many(self, state: Sums, values: Sequence[Value]) -> Sums:
        """Return the sums with these amounts, too."""
        parts = [round(value * PARTS) for value in values if value is not None]
        return state[0] + len(parts), state[1] + sum(parts), state[2] + sum([part * part for part in parts])

    def remove(self, state: Sums, value: Value, place: Place) -> Sums:
        """Return the sums without an amount."""
        if value is None:
            return state
        parts = round(value * PARTS)
        return state[0] - 1, state[1] - parts, state[2] - parts * parts

    def merge(self, state: Sums, other: Sums) -> Sums:
        """Return the sums of both."""
        return state[0] + other[0], state[1] + other[1], state[2] + other[2]

    def result(self, state: Sums) -> Value:
        """Return the sums."""
        return state


class Amounts(Usual):
    """How many amounts there are in a field, and their sum: ``[3, 24.5]``."""

    def result(self, state: Sums) -> tuple[int, float]:
        """Return how many there are, and their sum."""
        return state[0], state[1] / PARTS


def without(sums: Sums, amount: float) -> tuple[float | None, float | None]:
    """Return the mean of the other amounts, and how many standard deviations this one is away from it.

    Of none there is no mean, and of fewer than three there is nothing to be unusual by.
    """
    parts = round(amount * PARTS)
    count, total, squares = sums[0] - 1, sums[1] - parts, sums[2] - parts * parts
    if count < 1:
        return None, None
    mean = total / count / PARTS
    if count < FEWEST:
        return mean, None
    deviation = math.sqrt((count * squares - total * total) / (count * (count - 1))) / PARTS
    return mean, (amount - mean) / max(deviation, LEAST_SPREAD * mean, 1 / PARTS)
