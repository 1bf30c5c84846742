"""What depends on the order of a window's records, which is that of event times, and of arrival at equal times."""

from __future__ import annotations

import bisect
import dataclasses
import operator
from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeAlias

import msgspec

from streamapp.windows.aggregate import OfField, Place, Scalar

__all__ = ["Collect", "Collected", "First", "Last"]

#: A value behind the two numbers of its place.
Placed: TypeAlias = tuple[int, int, Scalar]

_place: Final = operator.itemgetter(0, 1)
_value: Final = operator.itemgetter(2)


class _End(OfField):
    """One of the two ends of the values in a field that are not null."""

    takes: ClassVar[Any] = Scalar
    state_type: ClassVar[Any] = Placed | None
    choose: ClassVar[Callable[..., Any]]

    def initial(self) -> Placed | None:
        """Return None."""
        return None

    def add(self, state: Placed | None, value: Any, place: Place) -> Placed | None:
        """Return the end with a value more."""
        return state if value is None else self.merge(state, (*place, value))

    def merge(self, state: Placed | None, other: Placed | None) -> Placed | None:
        """Return the end of both."""
        if state is None or other is None:
            return other if state is None else state
        return self.choose(state, other, key=_place)  # type: ignore[no-any-return]

    def result(self, state: Placed | None) -> Scalar | None:
        """Return the value."""
        return None if state is None else state[2]


class First(_End):
    """The first of the values in a field that are not null; None (null) if all are null."""

    choose = staticmethod(min)


class Last(_End):
    """The last of the values in a field that are not null; None (null) if all are null."""

    choose = staticmethod(max)


class Collected(msgspec.Struct, array_like=True, gc=False):
    """Values in their order, and how many earlier ones there were."""

    values: list[Placed] = []
    left_out: int = 0


@dataclasses.dataclass(frozen=True, repr=False)
class Collect(OfField):
    """The values in a field that are not null, in their order.

    The result is a list. If there were more than ``at_most``, it has the last ones, and tells of the others:
    ``{"left_out": 12, "last": […]}``.

    Args:
        field: its name.
        at_most: how many values are kept.

    Raises:
        ValueError: if that is none.
    """

    at_most: int = 1_000
    takes: ClassVar[Any] = Scalar
    state_type: ClassVar[Any] = Collected

    def __post_init__(self) -> None:
        if self.at_most <= 0:
            raise ValueError(f"{self}: at_most must be at least 1")

    def initial(self) -> Collected:
        """Return no values."""
        return Collected()

    def add(self, state: Collected, value: Any, place: Place) -> Collected:
        """Return the values with one more."""
        if value is not None:
            bisect.insort(state.values, (*place, value), key=_place)
            self._cut(state)
        return state

    def remove(self, state: Collected, value: Any, place: Place) -> Collected:
        """Return the values without the earliest one."""
        if value is None:
            return state
        at = bisect.bisect_left(state.values, tuple(place), key=_place)
        if at < len(state.values) and _place(state.values[at]) == tuple(place):
            del state.values[at]
        else:
            state.left_out -= 1
        return state

    def merge(self, state: Collected, other: Collected) -> Collected:
        """Return the values of both."""
        state.values = sorted(state.values + other.values, key=_place)
        state.left_out += other.left_out
        self._cut(state)
        return state

    def result(self, state: Collected) -> Any:
        """Return a list of the values, or if some are left out the last ones and how many those are."""
        values = list(map(_value, state.values))
        return {"left_out": state.left_out, "last": values} if state.left_out else values

    def _cut(self, state: Collected) -> None:
        if (more := len(state.values) - self.at_most) > 0:
            del state.values[:more]
            state.left_out += more
