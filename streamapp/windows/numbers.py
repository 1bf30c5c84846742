"""Sums and means, without errors that grow or depend on the order: integers are exact at any size, floats are, too.

A sum of floats is kept as several floats that are the exact sum together. So what was added can be removed without a
trace, and the result, which is the float closest to the sum, is the same whatever the order of the records.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Final

import msgspec

from streamapp.windows.aggregate import Form, Number, OfField, Place, Value

__all__ = ["Mean", "Sum", "Total"]

#: Integers that msgpack writes.
INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1
FLOAT: Final = {float}
#: More floats than these are made as few as can be.
MANY: Final = 4


class Total(msgspec.Struct, array_like=True, gc=False):
    """An exact sum of numbers: ``whole`` and all ``parts`` together.

    ``count`` is how many numbers it is of, and ``floats`` how many of them are floats.
    """

    count: int = 0
    whole: int = 0
    floats: int = 0
    parts: tuple[float, ...] = ()

    def plus(self, value: float, times: int = 1) -> None:
        """Add a number, or remove it: -1 times."""
        if type(value) is int:
            self._plus_whole(value * times)
        else:
            self.parts = _plus(self.parts, value * times)
            self.floats += times
        self.count += times

    def plus_many(self, values: Sequence[float]) -> None:
        """Add numbers."""
        total = sum(values)
        if type(total) is int:
            self._plus_whole(total)
        else:
            floats = [value for value in values if type(value) is float]
            self.parts = _plus(self.parts, total) if len(values) == 1 else _exact([*self.parts, *floats])
            self.floats += len(floats)
            if len(floats) < len(values):
                self._plus_whole(sum([value for value in values if type(value) is int]))
        self.count += len(values)

    def merge(self, other: Total) -> None:
        """Add another sum."""
        self._plus_whole(other.whole)
        self.parts = _exact([*self.parts, *other.parts])
        self.floats += other.floats
        self.count += other.count

    @property
    def value(self) -> float:
        """The sum: an integer if all numbers are, else the float that is closest."""
        if self.floats:
            return math.fsum((*_floats(self.whole), *self.parts))
        return self.whole + sum(map(int, self.parts))

    def ratio(self) -> tuple[int, int]:
        """Return the sum as a fraction: a numerator, and a denominator, which is a power of two."""
        ratios = [part.as_integer_ratio() for part in self.parts]
        denominator = max([divisor for _, divisor in ratios], default=1)
        return sum([part * (denominator // divisor) for part, divisor in ratios], self.whole * denominator), denominator

    def _plus_whole(self, value: int) -> None:
        whole = self.whole + value
        if not INT64_MIN <= whole <= INT64_MAX:
            self.parts = _exact([*self.parts, *_floats(whole)])
            whole = 0
        self.whole = whole


class Summing(OfField):
    """An aggregate whose state is a sum."""

    takes: ClassVar[Form] = Number
    state_type: ClassVar[Form] = Total

    def initial(self) -> Total:
        """Return the sum of no numbers."""
        return Total()

    def add(self, state: Total, value: Value, place: Place) -> Total:
        """Return the sum with a number more; null adds nothing."""
        if value is not None:
            state.plus(value)
        return state

    def add_many(self, state: Total, values: Sequence[Value]) -> Total:
        """Return the sum with these numbers, too."""
        state.plus_many([value for value in values if value is not None] if None in values else values)
        return state

    def remove(self, state: Total, value: Value, place: Place) -> Total:
        """Return the sum without a number."""
        if value is not None:
            state.plus(value, -1)
        return state

    def merge(self, state: Total, other: Total) -> Total:
        """Return the sum of both."""
        state.merge(other)
        return state


class Sum(Summing):
    """The sum of the numbers in a field that are not null; None (null) if all are.

    It is an integer if all numbers are, else the float that is closest to the sum.
    """

    def result(self, state: Total) -> float | None:
        """Return the sum."""
        return state.value if state.count else None

    def value_of(self, values: Sequence[Value]) -> float | None:
        """Return the sum of all these numbers."""
        if set(map(type, values)) == FLOAT:
            return math.fsum(values)
        return self.result(self.add_many(self.initial(), values))


class Mean(Summing):
    """The mean of the numbers in a field that are not null, as a float; None (null) if all are."""

    def result(self, state: Total) -> float | None:
        """Return the mean."""
        return state.value / state.count if state.count else None


def _floats(whole: int) -> list[float]:
    """Return floats that are an integer together."""
    floats = []
    while whole:
        floats.append(float(whole))
        whole -= int(floats[-1])
    return floats


def _plus(parts: tuple[float, ...], value: float) -> tuple[float, ...]:
    """Return floats that are exactly the sum of others and one more: by Knuth's TwoSum, faster than `_exact`."""
    sums = []
    for part in parts:
        total = part + value
        virtual = total - part
        value = (part - (total - virtual)) + (value - virtual)
        sums.append(total)
    if value:
        sums.append(value)
    return tuple(sums) if len(sums) <= MANY else _exact(sums)


def _exact(terms: list[float]) -> tuple[float, ...]:
    """Return as few floats as are exactly the sum of others, whose list is used up."""
    parts = []
    while rest := math.fsum(terms):
        parts.append(rest)
        terms.append(-rest)
    return tuple(parts)
