"""The smallest and the largest value."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeAlias

from streamapp.windows.aggregate import OfField, Place, unusable

__all__ = ["Max", "Min"]

Ordered: TypeAlias = int | float | str

#: Integers that msgpack writes.
INTEGERS_MIN, INTEGERS_MAX = -(1 << 63), (1 << 64) - 1


@dataclasses.dataclass(frozen=True, repr=False)
class Extreme(OfField):
    """The smallest or the largest of the numbers, or texts, in a field; None (null) if all are null.

    Args:
        field: its name.
        text: whether the field is a string. Strings are compared letter by letter, as is right for times in ISO 8601
            and wrong for numbers: ``"10" < "9"``.
    """

    text: bool = False
    state_type: ClassVar[Any] = Ordered | None
    choose: ClassVar[Callable[..., Any]]

    @property
    def takes(self) -> Any:
        """The type of the field's values."""
        return str if self.text else int | float

    def initial(self) -> Ordered | None:
        """Return None."""
        return None

    def add(self, state: Ordered | None, value: Any, place: Place) -> Ordered | None:
        """Return the one that it is with a value more; null changes nothing."""
        if value is None:
            return state
        if self._usable(value):
            return self.merge(state, value)
        raise unusable(self, value, "a string" if self.text else "a finite number of at most 64 bits")

    def add_many(self, state: Ordered | None, values: Sequence[Any], places: Sequence[Place]) -> Ordered | None:
        """Return the one that it is with these values, too."""
        kinds = set(map(type, values))
        if kinds == {str} if self.text else kinds == {int}:
            first, last = min(values), max(values)
            return self.add(self.add(state, first, places[0]), last, places[0])
        for value, place in zip(values, places, strict=True):
            state = self.add(state, value, place)
        return state

    def merge(self, state: Ordered | None, other: Ordered | None) -> Ordered | None:
        """Return the one of both; of numbers that are equal the integer, whichever came first."""
        if state is None or other is None:
            return other if state is None else state
        if state == other:
            return state if type(state) is int else other
        return self.choose(state, other)  # type: ignore[no-any-return]

    def result(self, state: Ordered | None) -> Ordered | None:
        """Return it."""
        return state

    def _usable(self, value: Any) -> bool:
        kind = type(value)
        if self.text:
            return kind is str
        return (kind is int and INTEGERS_MIN <= value <= INTEGERS_MAX) or (kind is float and math.isfinite(value))


class Min(Extreme):
    """The smallest of the numbers in a field, or with ``text`` of its strings; None (null) if all are null."""

    choose = staticmethod(min)


class Max(Extreme):
    """The largest of the numbers in a field, or with ``text`` of its strings; None (null) if all are null."""

    choose = staticmethod(max)
