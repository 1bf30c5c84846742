"""The smallest and the largest value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeAlias

from streamapp.windows.aggregate import Form, Number, OfField, Place, Value

__all__ = ["Max", "Min"]

Ordered: TypeAlias = int | float | str


@dataclasses.dataclass(frozen=True, repr=False)
class Extreme(OfField):
    """The smallest or the largest of the numbers, or texts, in a field; None (null) if all are null.

    Args:
        field: its name.
        text: whether the field is a string. Strings are compared letter by letter, as is right for times in ISO 8601
            and wrong for numbers: ``"10" < "9"``.
    """

    text: bool = False
    state_type: ClassVar[Form] = Ordered | None
    choose: ClassVar[Callable[..., Value]]

    @property
    def takes(self) -> Form:
        """The type of the field's values."""
        return str if self.text else Number

    def initial(self) -> Ordered | None:
        """Return None."""
        return None

    def add(self, state: Ordered | None, value: Value, place: Place) -> Ordered | None:
        """Return the one that it is with a value more; null changes nothing."""
        return self.merge(state, value)

    def add_many(self, state: Ordered | None, values: Sequence[Value]) -> Ordered | None:
        """Return the one that it is with these values, too."""
        if len(set(map(type, values))) == 1 and values[0] is not None:
            return self.merge(state, self.choose(values))
        for value in values:
            state = self.merge(state, value)
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


class Min(Extreme):
    """The smallest of the numbers in a field, or with ``text`` of its strings; None (null) if all are null."""

    choose = staticmethod(min)


class Max(Extreme):
    """The largest of the numbers in a field, or with ``text`` of its strings; None (null) if all are null."""

    choose = staticmethod(max)
