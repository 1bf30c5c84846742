"""How far numbers are spread."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar, Final

import msgspec

from streamapp.windows.aggregate import Form, Number, OfField, Place, Value
from streamapp.windows.numbers import Total

__all__ = ["Spread", "StdDev", "Variance"]

#: It splits a float into two of half its digits (Veltkamp).
SPLITTER: Final = float((1 << 27) + 1)
#: The squares of floats that are smaller (but for 0) are not exact.
LEAST: Final = 1e-140


class Spread(msgspec.Struct, array_like=True, gc=False):
    """The exact sums of numbers and of their squares."""

    numbers: Total = msgspec.field(default_factory=Total)
    squares: Total = msgspec.field(default_factory=Total)

    def plus(self, value: float, times: int = 1) -> None:
        """Add a number, or remove it: -1 times."""
        if type(value) is int:
            self.squares.plus(value * value, times)
        else:
            value = value if abs(value) >= LEAST else 0.0
            square = value * value
            self.squares.plus(square, times)
            self.squares.plus(_rest(value, square), times)
        self.numbers.plus(value, times)

    def plus_many(self, values: Sequence[float]) -> None:
        """Add numbers."""
        values = [value if abs(value) >= LEAST else 0 * value for value in values]
        squares = [value * value for value in values]
        rests = [_rest(value, square) for value, square in zip(values, squares, strict=True) if type(value) is float]
        self.numbers.plus_many(values)
        self.squares.plus_many([*squares, *rests])


@dataclasses.dataclass(frozen=True, repr=False)
class Variance(OfField):
    """The variance of the numbers in a field that are not null, as a float; None (null) if there are too few.

    It is of the sums of the numbers and of their squares, which are exact: nothing is lost by removal, or where numbers
    are large and close together. Floats between -1e-140 and 1e-140 count as 0.

    Args:
        field: its name.
        population: whether the numbers are all there are; one is enough then. Otherwise they are a sample, of two at
            least: the sum of the squared distances from the mean is divided by one less than their number.
    """

    population: bool = False
    takes: ClassVar[Form] = Number
    state_type: ClassVar[Form] = Spread

    def initial(self) -> Spread:
        """Return the sums of no numbers."""
        return Spread()

    def add(self, state: Spread, value: Value, place: Place) -> Spread:
        """Return the sums with a number more."""
        if value is not None:
            state.plus(value)
        return state

    def add_many(self, state: Spread, values: Sequence[Value]) -> Spread:
        """Return the sums with these numbers, too."""
        state.plus_many([value for value in values if value is not None] if None in values else values)
        return state

    def remove(self, state: Spread, value: Value, place: Place) -> Spread:
        """Return the sums without a number."""
        if value is not None:
            state.plus(value, -1)
        return state

    def merge(self, state: Spread, other: Spread) -> Spread:
        """Return the sums of both."""
        state.numbers.merge(other.numbers)
        state.squares.merge(other.squares)
        return state

    def result(self, state: Spread) -> float | None:
        """Return the variance."""
        count = state.numbers.count
        freedom = count - (not self.population)
        if freedom <= 0:
            return None
        total, unit = state.numbers.ratio()
        squares, square_unit = state.squares.ratio()
        spread = count * squares * unit * unit - total * total * square_unit
        return max(0, spread) / (count * freedom * unit * unit * square_unit)


class StdDev(Variance):
    """The standard deviation of the numbers in a field that are not null: the root of their `Variance`."""

    def result(self, state: Spread) -> float | None:
        """Return the standard deviation."""
        variance = super().result(state)
        return None if variance is None else math.sqrt(variance)


def _rest(value: float, square: float) -> float:
    """Return what is missing in the square of a float that has been rounded to a float (Dekker)."""
    high = SPLITTER * value - (SPLITTER * value - value)
    low = value - high
    return low * low - ((square - high * high) - 2 * high * low)
