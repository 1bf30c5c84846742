"""Aggregates of amounts of money, as whole numbers of small parts: exact whatever comes and goes, and fast."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar, Final, TypeAlias

from streamapp.windows.aggregate import Form, Number, OfField, Place, Value

__all__ = ["Amounts", "Totals", "Usual", "without"]

#: Amounts are counted in these parts of one.
PARTS: Final = 10_000
#: How many amounts there are at least, before one can be unusual.
FEWEST: Final = 3
#: A standard deviation is taken for so much of the mean at least, for an account that always pays the same.
LEAST_SPREAD: Final = 0.01

#: How many amounts there are, and their sum in `PARTS`; and that of their squares.
Totals: TypeAlias = tuple[int, int]
Squares: TypeAlias = tuple[int, int, int]


@dataclasses.dataclass(frozen=True, repr=False)
class Amounts(OfField):
    """How many amounts there are in a field, and their sum: ``[3, 24.5]``, in one.

    Args:
        field: that has the amounts; null counts for nothing.
    """

    takes: ClassVar[Form] = Number
    state_type: ClassVar[Form] = Totals

    def initial(self) -> Totals:
        """Return the sum of no amounts."""
        return 0, 0

    def add(self, state: Totals, value: Value, place: Place) -> Totals:
        """Return the sum with an amount more."""
        if value is None:
            return state
        return state[0] + 1, state[1] + round(value * PARTS)

    def add_many(self, state: Totals, values: Sequence[Value]) -> Totals:
        """Return the sum with these amounts, too."""
        parts = [round(value * PARTS) for value in values if value is not None]
        return state[0] + len(parts), state[1] + sum(parts)

    def remove(self, state: Totals, value: Value, place: Place) -> Totals:
        """Return the sum without an amount."""
        if value is None:
            return state
        return state[0] - 1, state[1] - round(value * PARTS)

    def merge(self, state: Totals, other: Totals) -> Totals:
        """Return the sum of both."""
        return state[0] + other[0], state[1] + other[1]

    def result(self, state: Totals) -> tuple[int, float]:
        """Return how many there are, and their sum."""
        return state[0], state[1] / PARTS


@dataclasses.dataclass(frozen=True, repr=False)
class Usual(OfField):
    """The sums of amounts and of their squares, from which one can be taken back (`without`): what is usual without it.

    Args:
        field: that has the amounts; null counts for nothing.
    """

    takes: ClassVar[Form] = Number
    state_type: ClassVar[Form] = Squares

    def initial(self) -> Squares:
        """Return the sums of no amounts."""
        return 0, 0, 0

    def add(self, state: Squares, value: Value, place: Place) -> Squares:
        """Return the sums with an amount more."""
        if value is None:
            return state
        parts = round(value * PARTS)
        return state[0] + 1, state[1] + parts, state[2] + parts * parts

    def add_many(self, state: Squares, values: Sequence[Value]) -> Squares:
        """Return the sums with these amounts, too."""
        parts = [round(value * PARTS) for value in values if value is not None]
        return state[0] + len(parts), state[1] + sum(parts), state[2] + sum([part * part for part in parts])

    def remove(self, state: Squares, value: Value, place: Place) -> Squares:
        """Return the sums without an amount."""
        if value is None:
            return state
        parts = round(value * PARTS)
        return state[0] - 1, state[1] - parts, state[2] - parts * parts

    def merge(self, state: Squares, other: Squares) -> Squares:
        """Return the sums of both."""
        return state[0] + other[0], state[1] + other[1], state[2] + other[2]

    def result(self, state: Squares) -> Squares:
        """Return the sums."""
        return state


def without(sums: Squares, amount: float) -> tuple[float | None, float | None]:
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
